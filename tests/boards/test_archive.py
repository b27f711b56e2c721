"""How many closed periods are offered: fewer are listed, and none is hidden, lost or counted anew."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from leaderboard import boards
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, FinalStanding
from tests.boards.pages import chosen, links, page_at, rows
from tests.support import past
from tests.support.admin_site import admin, signed_in
from tests.support.boards import away, keep, make, now
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import bearer, site_key

pytestmark = pytest.mark.usefixtures("board", "unlimited")

PERIODS = "/api/v1/boards/daily/periods"
PUBLIC = "public, max-age=1, stale-while-revalidate=5"


@pytest.fixture
def closed(alice: User) -> list[str]:
    """Alice has played in four days that are over; their keys, the last first."""
    today = now()
    days = [today - timedelta(days=ago) for ago in (4, 3, 2, 1)]
    past.write([past.Event(at, alice.pk, points) for at, points in zip(days, (4, 3, 2, 1), strict=True)])
    away(make("daily", window="daily"), days[0])
    keep()
    found = BoardPeriod.objects.filter(closed_at__isnull=False)
    return list(found.order_by("-ends_at").values_list("key", flat=True))


def archive(many: int | None) -> None:
    Rule.objects.update(archive=many)
    keep()


def listed(api: Api, query: str = "", **caller: Any) -> list[str]:
    answer = api.get(f"{PERIODS}{query}", **caller)
    assert answer.status_code == 200
    return [one["key"] for one in answer.json()["data"]]


def test_the_last_so_many_are_listed_beside_the_current_one(api: Api, closed: list[str]) -> None:
    [current] = listed(api)[:1]
    assert current not in closed
    for many, offered in ((None, closed), (1000, closed), (4, closed), (2, closed[:2]), (1, closed[:1]), (0, [])):
        archive(many)
        assert listed(api) == [current, *offered], many
    archive(2)
    assert listed(api, "?limit=2&offset=1") == closed[:2]
    assert listed(api, "?offset=3") == []


def test_one_that_is_asked_for_is_read_alone(closed: list[str]) -> None:
    def read(**asked: Any) -> list[str]:
        return [board.period for board in boards.past("daily", **asked)]

    assert (read(), read(most=1), read(most=0)) == (closed, closed[:1], [])
    assert (read(period=closed[2]), read(period="2019-01-01")) == ([closed[2]], [])


def test_staff_and_keys_are_listed_all_and_no_shared_cache_keeps_it(api: Api, closed: list[str]) -> None:
    archive(1)
    for caller in (bearer(admin()), site_key("read"), site_key("boards")):
        answer = api.get(PERIODS, headers=caller)
        assert [one["key"] for one in answer.json()["data"]][1:] == closed
        assert answer["Cache-Control"] == "private, no-cache"
    for headers in ({}, {"Authorization": "Bearer nonsense"}, site_key("award")):
        answer = api.get(PERIODS, headers=headers)
        assert [one["key"] for one in answer.json()["data"]][1:] == closed[:1]
        assert answer["Cache-Control"] == PUBLIC


def test_an_older_period_is_answered_to_who_asks_for_it(
    api: Api, client: Client, closed: list[str], alice: User
) -> None:
    archive(1)
    oldest = closed[-1]
    answer = api.get(f"{TOP}?board=daily&period={oldest}").json()
    assert [(row["user_id"], row["score"]) for row in answer["data"]] == [(str(alice.pk), 4)]
    assert api.get(f"/api/v1/score/me?board=daily&period={oldest}", alice).json()["data"]["rank"] == 1
    for path in (f"/?board=daily&period={oldest}", f"/embed/daily?period={oldest}"):
        assert rows(page_at(client, path)) == ["alice"]
    assert FinalStanding.objects.count() == 4


def test_pages_offer_what_is_in_the_archive_and_lead_back_into_it(client: Client, closed: list[str]) -> None:
    archive(2)
    page = page_at(client, "/?board=daily")
    assert set(links(page).values()) >= {f"?board=daily&period={key}" for key in closed[:2]}
    assert not any(key in page for key in closed[2:])
    last = page_at(client, f"/?board=daily&period={closed[1]}")
    assert not any(words.startswith("Earlier") for words in links(last))
    assert chosen(last)[-1] == closed[1]
    older = links(page_at(client, f"/?board=daily&period={closed[3]}"))
    assert older[f"Later: {closed[1]}"] == f"?board=daily&period={closed[1]}"
    assert not any(words.startswith("Earlier") for words in older)
    whole = links(signed_in(admin()).get(f"/?board=daily&period={closed[1]}").content.decode())
    assert f"Earlier: {closed[2]}" in whole


def test_with_none_in_the_archive_a_page_offers_the_current_one_alone(client: Client, closed: list[str]) -> None:
    archive(0)
    assert not any("period=" in address for address in links(page_at(client, "/?board=daily")).values())
    older = links(page_at(client, f"/?board=daily&period={closed[0]}"))
    assert older["Now"] == "?board=daily"


def test_a_board_that_is_over_is_still_offered(client: Client, api: Api, closed: list[str]) -> None:
    archive(0)
    BoardPeriod.objects.filter(closed_at=None).delete()
    boards.forget()
    assert "?board=daily" in links(page_at(client, "/")).values()
    assert rows(page_at(client, "/?board=daily")) == ["alice"]


def test_a_change_counts_nothing_anew_and_what_cannot_be_is_refused(api: Api, closed: list[str]) -> None:
    before = set(BoardPeriod.objects.values_list("pk", flat=True))
    editor = site_key("boards")
    for many in (7, 0, 1000, None):
        answer = api.send("PUT", "/api/v1/boards/daily", json.dumps({"archive": many}).encode(), headers=editor)
        assert (answer.status_code, answer.json()["data"]["archive"]) == (200, many)
    assert set(BoardPeriod.objects.values_list("pk", flat=True)) == before
    wrong: object
    for wrong in (-1, 1001, 1.0, "7", True, [], 10**30):
        answer = api.send("PUT", "/api/v1/boards/daily", json.dumps({"archive": wrong}).encode(), headers=editor)
        assert list(assert_problem(answer, "invalid-request")["errors"]) == ["archive"], wrong
    assert Rule.objects.get().archive is None
