"""The pages of boards and periods, without any script: what can be chosen, where it leads, and what is not there."""

from datetime import UTC, datetime

import pytest
from django.template import TemplateSyntaxError
from django.test import Client
from django.utils import timezone

from accounts.models import User
from leaderboard import boards, choices
from leaderboard.boards import Board
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod
from tests.boards.pages import chosen, links, page_at, rendered, rows
from tests.support.boards import award, end_period, keep, make

pytestmark = pytest.mark.django_db


def test_a_site_with_one_board_offers_no_choice(client: Client, board: Board) -> None:
    assert links(page_at(client, "/")) == {}


def test_a_visitor_picks_among_boards_and_the_parts_of_one(client: Client, board: Board) -> None:
    User.objects.create(username="ada", email="a@example.org", region="EU")
    User.objects.create(username="bo", email="b@example.org", region="North-America")
    make("weekly", window="weekly")
    make("region", attribute="region", attribute_value="*")
    page = page_at(client, "/")
    assert links(page) == {
        "All players": "?board=global",
        "Region": "?board=region.eu",
        "Weekly": "?board=weekly",
    }
    assert chosen(page) == ["All players"]
    award(User.objects.get(username="ada"), 7)
    page = page_at(client, f"/{links(page)['Region']}")
    assert chosen(page) == ["Region", "EU"]
    assert "<h1>Region: EU</h1>" in page
    assert rows(page) == ["ada"]
    page = page_at(client, f"/{links(page)['North america']}")
    assert chosen(page) == ["Region", "North america"]
    assert rows(page) == []


def test_paused_boards_and_those_that_are_deleted_are_not_offered(client: Client, board: Board) -> None:
    make("weekly", window="weekly")
    paused = make("monthly", window="monthly", paused=True)
    assert "Monthly" not in links(page_at(client, "/"))
    assert client.get("/?board=monthly").status_code == 404
    paused.delete()
    Rule.objects.all().delete()
    boards.forget()
    assert links(page_at(client, "/")) == {}


def test_one_walks_back_through_closed_periods(client: Client, board: Board, alice: User, bob: User) -> None:
    make("weekly", window="weekly")
    award(alice, 5)
    first, second = end_period("weekly")
    award(bob, 6)
    page = page_at(client, "/?board=weekly")
    assert rows(page) == ["bob"]
    assert 'period="' not in page  # the element goes on with the next
    earlier = links(page)[f"Earlier: {first}"]
    assert earlier == f"?board=weekly&period={first}"
    page = page_at(client, f"/{earlier}")
    assert rows(page) == ["alice"]
    assert "<strong>Final ranks</strong>" in page
    assert f'<live-leaderboard board="weekly" period="{first}"' in page
    assert links(page)[f"Later: {second}"] == links(page)["Now"] == "?board=weekly"
    assert f"Weekly {first} · Live scoreboard" in page
    assert f'period="{second}"' in page_at(client, f"/?board=weekly&period={second}")


def test_a_frozen_period_that_is_over_is_walked_back_to_before_it_is_revealed(
    client: Client, board: Board, alice: User, bob: User
) -> None:
    rule = make("weekly", window="weekly")
    award(alice, 5)
    rule.freeze_at = datetime.now(UTC)
    rule.save()
    keep()
    award(bob, 7)
    frozen, now = BoardPeriod.objects.order_by("starts_at").values_list("key", flat=True).distinct()[:2]
    BoardPeriod.objects.filter(key=frozen).update(ends_at=timezone.now())  # and what it holds back
    BoardPeriod.objects.filter(key=now).update(starts_at=timezone.now())
    keep()
    page = page_at(client, "/?board=weekly")
    assert "Ends <strong>" in page
    assert links(page)[f"Earlier: {frozen}"] == f"?board=weekly&period={frozen}"
    page = page_at(client, f"/?board=weekly&period={frozen}")
    assert rows(page) == ["alice"]
    assert "Ended <strong>" in page
    assert links(page)[f"Later: {now}"] == links(page)["Now"] == "?board=weekly"


def test_of_many_closed_periods_those_around_the_one_shown_are_listed(client: Client, board: Board) -> None:
    rule = make("daily", window="daily")
    for number in range(130):
        at = datetime(2020, 1, 1, 0, 0, number % 60, number, tzinfo=UTC)
        BoardPeriod.objects.create(
            board=rule, key=f"old-{number:03}", starts_at=at, ends_at=at.replace(year=2021, minute=number // 60),
            filled_at=at, closed_at=at,
        )  # fmt: skip
    boards.forget()
    page = page_at(client, "/?board=daily")
    assert [f"old-{number:03}" in links(page) for number in (129, 70, 69, 0)] == [True, True, False, False]
    page = page_at(client, "/?board=daily&period=old-000")
    assert chosen(page) == ["Daily", "old-000"]
    assert [f"old-{number:03}" in links(page) for number in (129, 10, 9, 0)] == [False, False, True, True]


def test_a_board_that_is_over_stays_with_its_final_ranks(client: Client, board: Board, alice: User) -> None:
    make("cup", window="fixed", opens_at=datetime(2020, 1, 1, tzinfo=UTC), closes_at=datetime(2120, 1, 1, tzinfo=UTC))
    award(alice, 5)
    BoardPeriod.objects.update(ends_at=datetime(2026, 1, 1, tzinfo=UTC))
    keep()
    assert links(page_at(client, "/")) == {"All players": "?board=global", "Cup Final": "?board=cup"}
    page = page_at(client, "/?board=cup")
    assert rows(page) == ["alice"]
    assert '<live-leaderboard board="cup" period="all"' in page
    assert "1 Jan 2020, 00:00 to 1 Jan 2026, 00:00 (UTC)" in page


def test_a_season_that_was_prolonged_has_a_page_for_each_of_its_ends(client: Client, board: Board, alice: User) -> None:
    """The later one's key is the former's with a number, which is an address like any other."""
    over = datetime(2026, 1, 1, tzinfo=UTC)
    opens, closes = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
    rule = make("cup", window="fixed", opens_at=opens, closes_at=closes)
    award(alice, 5)
    for key, later in (("all", 2121), ("all.2", 2122)):
        assert boards.get("cup").period == key
        BoardPeriod.objects.filter(closed_at=None).update(ends_at=over)
        keep()
        assert rows(page_at(client, f"/?board=cup&period={key}")) == rows(page_at(client, f"/embed/cup?period={key}"))
        assert "<strong>Final ranks</strong>" in page_at(client, f"/?board=cup&period={key}")
        rule.refresh_from_db()
        rule.closes_at = closes.replace(year=later)
        rule.save()
        keep()
    for address in links(page_at(client, "/?board=cup&period=all.2")).values():
        assert client.get(f"/{address}").status_code == 200, address


@pytest.mark.parametrize(
    "query",
    [
        "board=x",
        "board=",
        "board=weekly.eu",
        "board=Weekly",
        "board=%00",
        "board=%F0%9F%A6%8A",
        f"board={'x' * 66}",
        "board=weekly&period=2020-W01",
        "board=weekly&period=",
        "board=weekly&period=%00",
        "board=weekly&period=%27",
        f"board=weekly&period={'x' * 17}",
        "period=2020",
    ],
)
def test_what_does_not_exist_is_not_found(client: Client, board: Board, query: str) -> None:
    make("weekly", window="weekly")
    assert client.get(f"/?{query}").status_code == 404


def test_the_embed_page_shows_parts_and_closed_periods(client: Client, board: Board, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(region="EU")
    make("region", window="weekly", attribute="region", attribute_value="*")
    award(alice, 5)
    first, _ = end_period("region")
    page = page_at(client, f"/embed/region.eu?period={first}&limit=3")
    assert f'<live-leaderboard board="region.eu" period="{first}" limit="3" theme="auto" label="Region: EU">' in page
    assert rows(page) == ["alice"]
    assert rows(page_at(client, "/embed/region.eu")) == []
    for path in ("/embed/region", "/embed/region.us", "/embed/region.eu?period=2020-W01", "/embed/%00"):
        assert client.get(path).status_code == 404, path


def test_the_embedding_page_lists_the_boards_and_gives_the_lines_of_one(client: Client, board: Board) -> None:
    make("weekly", window="weekly")
    page = page_at(client, "/embed")
    assert links(page) == {"All players": "?board=global", "Weekly": "?board=weekly"}
    page = page_at(client, "/embed?board=weekly")
    assert chosen(page) == ["Weekly"]
    assert 'board="weekly" limit="10"' in page
    assert "/embed/weekly?limit" in page
    assert client.get("/embed?board=nowhere").status_code == 404


def test_the_template_tag_takes_a_period(client: Client, board: Board, alice: User) -> None:
    make("weekly", window="weekly")
    award(alice, 5)
    first, _ = end_period("weekly")
    page = rendered(f'{{% live_leaderboard board="weekly" period="{first}" %}}')
    assert f'<live-leaderboard board="weekly" period="{first}" limit="10"' in page
    assert rows(page) == ["alice"]
    assert rows(rendered('{% live_leaderboard board="weekly" %}')) == []
    with pytest.raises(TemplateSyntaxError, match="period is '2020-W01'; expected one that 'weekly' has"):
        rendered('{% live_leaderboard board="weekly" period="2020-W01" %}')


@pytest.mark.parametrize(
    ("zone", "starts", "ends", "words"),
    [
        ("UTC", "2026-11-16T00:00Z", "2026-11-23T00:00Z", "16 to 22 Nov 2026"),
        ("Pacific/Auckland", "2026-11-15T11:00Z", "2026-11-22T11:00Z", "16 to 22 Nov 2026"),
        ("Europe/Paris", "2026-10-24T22:00Z", "2026-10-25T23:00Z", "25 Oct 2026"),  # of 25 hours
        ("UTC", "2026-11-30T00:00Z", "2026-12-07T00:00Z", "30 Nov to 6 Dec 2026"),
        ("UTC", "2026-12-28T00:00Z", "2027-01-04T00:00Z", "28 Dec 2026 to 3 Jan 2027"),
    ],
)
def test_dates_are_those_of_the_boards_zone(zone: str, starts: str, ends: str, words: str) -> None:
    board = Board(
        "x", "X", 1, "key", starts_at=datetime.fromisoformat(starts), ends_at=datetime.fromisoformat(ends), zone=zone
    )
    assert choices.dates(board) == words
