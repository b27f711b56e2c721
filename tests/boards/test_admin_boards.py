"""Boards in admin: made, previewed, changed and deleted without code; and how their closed periods came out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from accounts.models import User
from leaderboard import boards
from scoreboard import board_preview, periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, BoardReveal, FinalStanding
from tests.support.admin_site import BOARDS_PAGE, admin, board_page, signed_in
from tests.support.boards import award, keep, make, recounted
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import declare, player, players

pytestmark = pytest.mark.usefixtures("board", "unlimited")

ADD = f"{BOARDS_PAGE}add/"
PERIODS = "/admin/scoreboard/boardperiod/"
TYPED = {
    "title": "This week",
    "slug": "weekly",
    "visibility": "public",
    "window": "weekly",
    "zone": "Europe/Paris",
    "entry": "open",
    "value": "sum",
    "order": "high",
    "ties": "earliest",
}


@pytest.fixture
def organiser() -> Client:
    """The role of an admin and no more."""
    return signed_in(admin())


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


def close(slug: str) -> BoardPeriod:
    """Has the board's current period end now."""
    now = datetime.now(UTC)
    period = BoardPeriod.objects.get(board__slug=slug, starts_at__lte=now, ends_at__gt=now)
    BoardPeriod.objects.filter(pk=period.pk).update(ends_at=now)
    assert periods.close_ended() == 1
    return period


def test_a_board_is_made_and_shows_at_once_what_counted_before(organiser: Client, api: Api, alice: User) -> None:
    award(alice, 5)
    assert organiser.post(ADD, TYPED).status_code == 302
    boards.refresh(at_once=True)
    assert api.get(f"{TOP}?board=weekly").json()["data"][0]["score"] == 5
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.is_addition(), str(entry.object_repr)) == ("ada", True, "This week")


def test_a_preview_is_what_the_board_will_be_and_saves_nothing(organiser: Client) -> None:
    for number, user in enumerate(players(12), start=1):
        award(user, number, "LAP" if number % 2 else "QUIZ")
        award(user, 50 - number)
    answer = organiser.post(ADD, {**TYPED, "order": "low", "value": "best", "_preview": "1"})
    assert not Rule.objects.exists()
    assert not BoardPeriod.objects.exists()
    [preview] = answer.context["previews"]
    assert answer.context["adminform"].form.initial["slug"] == "weekly"  # what was typed is still there
    organiser.post(ADD, {**TYPED, "order": "low", "value": "best"})
    names = {user.pk: user.shown_name for user in User.objects.all()}
    period = BoardPeriod.objects.filter(board__slug="weekly").order_by("starts_at")[0]
    assert preview.period == period.key
    assert preview.counted is None
    assert preview.lines == [(line.rank, names[line.user_id], line.score) for line in recounted(period)[:10]]


def test_a_preview_of_a_change_shows_the_change_and_leaves_the_board(organiser: Client, alice: User, bob: User) -> None:
    award(alice, 5, "LAP")
    award(bob, 9, "QUIZ")
    rule = make("weekly", window="weekly")
    before = Rule.objects.values().get(), list(BoardPeriod.objects.values())
    answer = organiser.post(board_page(rule), {**TYPED, "title": "Laps", "sources": ["bonus"], "_preview": "1"})
    assert answer.context["previews"][0].lines == []
    assert answer.context["adminform"].form.initial["title"] == "Laps"
    assert (Rule.objects.values().get(), list(BoardPeriod.objects.values())) == before
    assert not LogEntry.objects.exists()


def test_a_preview_has_the_most_common_values_of_a_board_for_each(organiser: Client) -> None:
    for number, region in enumerate(["EU", "eu", "us", "us", "us", "x y"], start=1):
        award(player(region=region), number)
    answer = organiser.post(ADD, {**TYPED, "attribute": "region", "attribute_value": "*", "_preview": "1"})
    assert [(one.part, [score for *_, score in one.lines]) for one in answer.context["previews"]] == [
        ("us", [5, 4, 3]),
        ("eu", [2, 1]),
    ]


def test_a_preview_says_of_how_many_it_is(organiser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_preview, "MOST", 2)
    for number, user in enumerate(players(4), start=1):
        award(user, number)
    for window in ("all", "weekly"):
        [preview] = organiser.post(ADD, {**TYPED, "window": window, "_preview": "1"}).context["previews"]
        assert ([score for *_, score in preview.lines], preview.counted) == ([4, 3], 2)


def test_what_cannot_be_is_said_beside_its_field(organiser: Client) -> None:
    declare("league", allowed=["gold", "silver"])
    declare("secret", private=True)
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"slug": "A B"}, "slug", "small letters"),
        ({"slug": "global"}, "__all__", "there already"),
        ({"zone": "Europe/Atlantis"}, "zone", "not one of the available choices"),
        ({"window": "days"}, "__all__", "how many days"),
        ({"every_days": "7"}, "every_days", "Only for a window of some days"),
        ({"window": "fixed"}, "__all__", "when it opens"),
        ({"closes_at_0": "2001-01-01", "closes_at_1": "00:00"}, "closes_at", "a moment to come"),
        ({"opens_at_0": "9999-01-01", "opens_at_1": "00:00"}, "opens_at", "between 2000 and 2100"),
        ({"action_types": ["NO_SUCH"]}, "action_types", "not one of the available choices"),
        ({"attribute": "league"}, "__all__", "which value"),
        ({"attribute": "league", "attribute_value": "wooden"}, "attribute_value", "gold, silver"),
        ({"attribute": "secret", "attribute_value": "*"}, "attribute", "is private"),
    ]
    buttons: list[dict[str, str]] = [{}, {"_preview": "1"}]
    for typed, field, words in wrong:
        for button in buttons:
            found = errors(organiser.post(ADD, {**TYPED, **typed, **button}))
            assert list(found) == [field], (typed, found)
            assert words in found[field][0]
    assert not Rule.objects.exists()


def test_the_list_says_how_each_board_is(organiser: Client, alice: User) -> None:
    award(alice, 5)
    make("open", window="daily")
    make("paused", paused=True)
    make("later", opens_at="2090-01-01T00:00Z")
    make("region", attribute="region", attribute_value="*")
    Rule.objects.create(slug="new", title="New")  # and not filled
    listed = {board.slug: board for board in organiser.get(BOARDS_PAGE).context["cl"].result_list}
    page = organiser.get(BOARDS_PAGE).content.decode()
    assert set(listed) == {"open", "paused", "later", "region", "new"}
    for words in ("being counted", ">paused<", "opens 2090-01-01 00:00", "nobody yet", ">open<"):
        assert words in page
    [today] = listed["open"].current
    assert today.key in page
    assert f"{today.ends_at:%Y-%m-%d %H:%M} UTC" in page


def test_closed_periods_are_listed_with_their_final_ranks_and_a_file(organiser: Client, alice: User, bob: User) -> None:
    award(alice, 5)
    award(bob, 7)
    make("daily", window="daily")
    period = close("daily")
    page = organiser.get(PERIODS).content.decode()
    assert period.key in page
    address = f"/api/v1/exports/board.csv?board=daily&period={period.key}"
    assert address.replace("&", "&amp;") in page
    rows = b"".join(organiser.get(address)).decode().splitlines()
    assert [row.split(",")[0] for row in rows] == ["rank", "1", "2"]
    one = organiser.get(f"{PERIODS}{period.pk}/change/").content.decode()
    assert "<tr><td>1</td><td>bob</td><td>7</td></tr><tr><td>2</td><td>alice</td><td>5</td></tr>" in one
    assert organiser.post(f"{PERIODS}{period.pk}/change/", {"key": "x"}).status_code == 403
    assert organiser.post(f"{PERIODS}{period.pk}/delete/", {"post": "yes"}).status_code == 403


def test_deleting_says_what_goes_with_it_and_takes_no_point(organiser: Client, api: Api, alice: User) -> None:
    award(alice, 5)
    rule = make("daily", window="daily")
    close("daily")
    asked = organiser.get(f"{BOARDS_PAGE}{rule.pk}/delete/").content.decode()
    assert "Its 1 closed periods with 1 final ranks, for good" in asked
    assert "No points" in asked
    assert Rule.objects.exists()
    organiser.post(f"{BOARDS_PAGE}{rule.pk}/delete/", {"post": "yes"})
    assert not Rule.objects.exists()
    assert not FinalStanding.objects.exists()
    boards.refresh(at_once=True)
    assert_problem(api.get(f"{TOP}?board=daily"), "not-found")
    assert api.get(TOP).json()["data"][0]["score"] == 5
    assert LogEntry.objects.get().is_deletion()


def test_several_are_deleted_at_once(organiser: Client) -> None:
    for slug in ("a", "b", "c"):
        make(slug)
    picked = [str(rule.pk) for rule in Rule.objects.exclude(slug="c")]
    body = {"action": "delete_selected", "_selected_action": picked, "index": "0"}
    assert organiser.post(BOARDS_PAGE, body).status_code == 200
    organiser.post(BOARDS_PAGE, {**body, "post": "yes"})
    assert [rule.slug for rule in Rule.objects.all()] == ["c"]
    assert set(BoardPeriod.objects.values_list("board__slug", flat=True)) == {"c"}


def test_moderators_look_and_change_nothing(alice: User) -> None:
    rule = make("weekly")
    moderator = signed_in(player("mod", role=User.Role.MODERATOR))
    assert moderator.get(board_page(rule)).status_code == 200
    for button in (dict[str, str](), {"_preview": "1"}):
        assert moderator.post(board_page(rule), {**TYPED, **button}).status_code == 403
        assert moderator.post(ADD, {**TYPED, **button}).status_code == 403
    assert moderator.post(f"{BOARDS_PAGE}{rule.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Rule.objects.get().title == "Weekly"


def test_an_edit_after_the_end_of_a_period_closes_it_first(organiser: Client, api: Api, alice: User) -> None:
    award(alice, 5)
    rule = make("daily", window="daily")
    now = datetime.now(UTC)
    BoardPeriod.objects.filter(board=rule, starts_at__lte=now).update(ends_at=now)
    assert (
        organiser.post(board_page(rule), {**TYPED, "window": "daily", "order": "low", "value": "best"}).status_code
        == 302
    )
    assert [standing.points for standing in FinalStanding.objects.all()] == [5]


def test_a_frozen_board_is_revealed_from_its_page(organiser: Client, alice: User) -> None:
    award(alice, 5)
    rule = make("final")
    assert "Reveal" not in organiser.get(board_page(rule)).content.decode()
    frozen = datetime.now(UTC)
    organiser.post(
        board_page(rule),
        {**TYPED, "window": "all", "freeze_at_0": f"{frozen:%Y-%m-%d}", "freeze_at_1": f"{frozen:%H:%M:%S}"},
    )
    assert "being counted" not in organiser.get(BOARDS_PAGE).content.decode()
    assert ">frozen<" in organiser.get(BOARDS_PAGE).content.decode()
    assert "Reveal" in organiser.get(board_page(rule)).content.decode()
    organiser.post(board_page(rule), {"_reveal": "1", "pace": "soon", "changes": "1"})
    assert not BoardReveal.objects.exists()
    organiser.post(board_page(rule), {"_reveal": "1", "pace": "0.1", "changes": "1"})
    assert not BoardReveal.objects.exists()
    organiser.post(board_page(rule), {"_reveal": "1", "pace": "0.5", "changes": "3"})
    begun = BoardReveal.objects.get()
    assert (begun.board_id, begun.pace, begun.changes) == (rule.pk, 0.5, 3)
    assert LogEntry.objects.order_by("-pk")[0].change_message == "Reveal begun: 3 every 0.5 s."


def test_the_list_says_how_many_players_a_board_has_or_had() -> None:
    one, other, third = (player(name, region=region) for name, region in (("a", "eu"), ("b", "eu"), ("c", "us")))
    for slug, each in (("open", {}), ("over", {}), ("parts", {"attribute": "region", "attribute_value": "*"})):
        until = timezone.now() + timedelta(hours=1)
        make(slug, window="fixed", opens_at=timezone.now(), closes_at=until, **each)
    award(one, 3)
    award(third, 3)
    ended = timezone.now()
    BoardPeriod.objects.exclude(board__slug="open").update(ends_at=ended)
    Rule.objects.exclude(slug="open").update(closes_at=ended)
    keep()
    award(other, 4)
    listed = signed_in(admin()).get(BOARDS_PAGE).context["cl"]
    told = {board.slug: listed.model_admin.players(board) for board in listed.result_list}
    assert told == {"open": "3", "over": "2", "parts": "2"}
