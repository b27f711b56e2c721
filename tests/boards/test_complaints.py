"""What players and organisers complain of on boards elsewhere, each as they would see that it is not so here.

That a frozen board does not move: test_frozen_boards_elsewhere_still_move_this_one_stands_still in
tests/boards/test_freezing.py, and on screens tests/system/live/test_freezing.py.
"""

import csv
import io
import json
import random
import urllib.error
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from accounts.models import User
from leaderboard import boards, ranking, rebuild, reconcile, snapshots
from leaderboard.boards import Board
from scoreboard import periods
from scoreboard.models import ScoreHistory
from tests.support.boards import award, end_period, keep, make
from tests.support.client import TOP, Api, assert_problem
from tests.support.past import Event, write
from tests.support.people import players, site_key
from tests.support.processes import eventually
from tests.system.live.clients import viewer, watcher
from tests.system.live.conftest import assert_no_defect
from tests.system.live.server import Server

pytestmark = pytest.mark.usefixtures("board", "unlimited")

EVERYTHING = ("award", "players", "read")
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def server(board: Board, tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "live.log", LEADERBOARD_PUSH_INTERVAL_MS="50")
    yield server
    server.close()
    assert_no_defect(server)


def shown(api: Api, query: str, headers: dict[str, str] | None = None) -> list[tuple[int, str, int]]:
    """The lines of a board as it is now, whichever copy of it this process has."""
    snapshots._snapshots.clear()
    answer = api.get(f"{TOP}?limit=100&{query}", headers=headers)
    assert answer.status_code == 200, answer.content
    assert answer.json()["players"] == len(answer.json()["data"])
    return [(row["rank"], row["username"], row["score"]) for row in answer.json()["data"]]


def at(moment: datetime) -> str:
    return f"at={urllib.parse.quote(moment.isoformat())}"


def standing(api: Api, user: User, board: str) -> tuple[int | None, int]:
    told = api.get(f"/api/v1/score/{user.pk}?board={board}").json()["data"]
    return told["rank"], told["score"]


def exported(api: Api, board: str, headers: dict[str, str]) -> list[tuple[int, str, int]]:
    answer = api.get(f"/api/v1/exports/board.csv?board={board}", headers=headers)
    assert answer.status_code == 200
    rows = csv.DictReader(io.StringIO(b"".join(answer).decode()))
    return [(int(row["rank"]), row["username"], int(row["score"])) for row in rows]


def introduced(api: Api, key: dict[str, str], name: str, region: str) -> User:
    """A player of the site, who lives there; or nobody knows where."""
    said = json.dumps({"attributes": {"region": region} if region else {}}).encode()
    assert api.send("PUT", f"/api/v1/players/{name}", said, headers=key).status_code == 200
    return User.objects.get(external_id=name)


def built(server: Server | None = None) -> None:
    """Every board is in Redis, as a worker keeps it; and the server, which may look once a second, knows of it."""
    for one in boards.everyone():
        rebuild.rebuild(one)
        if server:
            eventually(lambda slug=one.slug: knows(server, slug), f"the server knows {one.slug}")  # type: ignore[misc]


def knows(server: Server, slug: str) -> bool:
    try:
        return bool(server.get(f"{TOP}?board={slug}"))
    except urllib.error.HTTPError:
        return False


def test_caches_never_contradict_the_records(api: Api, alice: User, bob: User) -> None:
    """After points and a loss of Redis; and a wrong line in it lasts until the nightly comparison."""
    key = site_key(*EVERYTHING)
    make("laps", action_types=["LAP"])
    built()

    def agree(expected: list[tuple[int, str, int]]) -> None:
        assert shown(api, "board=laps") == expected
        assert shown(api, f"board=laps&{at(periods.clock())}") == expected
        assert exported(api, "laps", key) == expected
        for rank, username, score in expected:
            user = User.objects.get(username=username)
            assert standing(api, user, "laps") == (rank, score)
            around = api.get(f"/api/v1/score/{user.pk}/around?board=laps").json()["data"]
            assert (rank, username, score) in [(row["rank"], row["username"], row["score"]) for row in around]

    award(alice, 5)
    agree([(1, "alice", 5)])
    award(bob, 9)
    agree([(1, "bob", 9), (2, "alice", 5)])
    one = boards.get("laps")
    ranking.command("delete", *boards.keys(one).all())
    agree([(1, "bob", 9), (2, "alice", 5)])
    award(alice, 10)
    agree([(1, "alice", 15), (2, "bob", 9)])
    rebuild.rebuild(one)
    agree([(1, "alice", 15), (2, "bob", 9)])
    [member] = ranking.command("zrange", boards.keys(one).rank, 0, 0)
    ranking.command("zincrby", boards.keys(one).rank, 1000, member)
    assert reconcile.reconcile(one).drift == 1
    agree([(1, "alice", 15), (2, "bob", 9)])


def test_ties_are_decided_by_time_and_never_by_internal_ids(api: Api) -> None:
    crowd = players(7)
    make("first")
    make("last", ties="latest")
    built()
    random.Random(7).shuffle(crowd)
    for user in crowd:
        award(user, 5)
    arrived = [user.username for user in crowd]
    orders = [sorted(crowd, key=lambda user: user.pk), sorted(crowd, key=lambda user: user.username)]
    assert all(arrived not in ([u.username for u in order], [u.username for u in order[::-1]]) for order in orders)
    for board, expected in (("first", arrived), ("last", arrived[::-1]), ("global", arrived)):
        assert [name for _, name, _ in shown(api, f"board={board}")] == expected
        assert [name for _, name, _ in shown(api, f"board={board}&{at(periods.clock())}")] == expected
        assert [rank for rank, _, _ in shown(api, f"board={board}")] == list(range(1, 8))


@pytest.mark.parametrize(
    ("zone", "monday"),
    [
        ("Pacific/Auckland", datetime(2026, 11, 1, 11, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 2, 5, tzinfo=UTC)),  # the week before it had an hour more
        ("Asia/Kathmandu", datetime(2026, 11, 1, 18, 15, tzinfo=UTC)),
    ],
)
def test_a_week_begins_at_midnight_of_its_own_time_zone(api: Api, alice: User, zone: str, monday: datetime) -> None:
    write([Event(monday - MICROSECOND, alice.pk, 3), Event(monday, alice.pk, 5)])
    make("weekly", window="weekly", zone=zone)
    for moment, week, score in ((monday - MICROSECOND, "2026-W44", 3), (monday, "2026-W45", 5)):
        answer = api.get(f"{TOP}?board=weekly&{at(moment)}").json()
        assert (answer["board"]["period"], [row["score"] for row in answer["data"]]) == (week, [score])


def test_how_a_board_stood_can_be_read_for_ever(api: Api, alice: User, bob: User) -> None:
    """As of any instant, and of each period that is over; what comes later changes neither."""
    make("daily", window="daily")
    built()
    award(alice, 5)
    first = periods.clock()
    award(bob, 9)
    second = periods.clock()
    before, today = end_period("daily")
    award(alice, 100)
    assert shown(api, f"board=daily&{at(first)}") == [(1, "alice", 5)]
    assert shown(api, f"board=daily&{at(second)}") == [(1, "bob", 9), (2, "alice", 5)]
    assert shown(api, f"board=daily&period={before}") == [(1, "bob", 9), (2, "alice", 5)]
    assert shown(api, f"board=daily&period={today}") == [(1, "alice", 100)]
    listed = api.get("/api/v1/boards/daily/periods").json()["data"]
    assert {before, today} <= {period["key"] for period in listed}


def test_ranks_in_a_country_are_exact(api: Api, server: Server) -> None:
    """Counted among its players alone, on a board of its own; the first of the world may be the second here."""
    make("region", attribute="region", attribute_value="*")
    key = site_key(*EVERYTHING)
    places = ["eu", "us", "eu", "", "us", "eu"]
    for number, place in enumerate(places):
        award(introduced(api, key, f"p{number}", place), 10 - number)
    keep()
    built(server)
    by_place = {
        place: [User.objects.get(external_id=f"p{number}") for number, each in enumerate(places) if each == place]
        for place in ("eu", "us")
    }
    for place, mine in by_place.items():
        for rank, user in enumerate(mine, start=1):
            assert standing(api, user, f"region.{place}")[0] == rank
        assert [name for _, name, _ in shown(api, f"board=region.{place}")] == [user.shown_name for user in mine]
        with viewer(server, f"?board=region.{place}") as screen:
            _, update = screen.opening()
            assert [row["user_id"] for row in update["top"]] == [str(user.pk) for user in mine]
            assert [row["rank"] for row in update["top"]] == list(range(1, len(mine) + 1))


def test_a_correction_can_be_followed(api: Api, server: Server) -> None:
    """By its player in the history, by visitors on every board it belongs to, and as of the instant before it."""
    key = site_key(*EVERYTHING)
    make("all")
    make("daily", window="daily")
    built(server)
    deed = {"player": "ann", "action_type": "COMPLETE_TASK"}
    for number in ("1", "2"):
        assert api.post("/api/v1/awards", {**deed, "id": number}, headers=key).status_code == 201
    ann = User.objects.get(external_id="ann")
    name, slugs = ann.shown_name, ("global", "all", "daily")
    with viewer(server, "?board=daily") as over_socket, watcher(server, "?board=all") as over_stream:
        for screen in (over_socket, over_stream):
            screen.scores({name: 20})
        before = periods.clock()
        assert api.send("DELETE", "/api/v1/awards/2", b"", headers=key).status_code == 200
        for screen in (over_socket, over_stream):
            screen.scores({name: 10})
    for slug in slugs:
        assert shown(api, f"board={slug}") == [(1, name, 10)]
        assert shown(api, f"board={slug}&{at(before)}") == [(1, name, 20)]
    entries = api.get(f"/api/v1/score/{ann.pk}/history", headers=key).json()["data"]
    told = [(entry["source"], entry["action_type"], entry["delta"], entry["new_total"]) for entry in entries]
    assert told == [
        ("correction", "COMPLETE_TASK", -10, 10),
        ("award", "COMPLETE_TASK", 10, 20),
        ("award", "COMPLETE_TASK", 10, 10),
    ]
    assert ScoreHistory.objects.get(source="correction").reverses == entries[1]["id"]


def test_who_opts_out_is_on_no_board_by_any_way(api: Api, server: Server) -> None:
    """Now, at any instant, in periods that are over, in files and on screens; and nothing says that there is a gap."""
    key = site_key(*EVERYTHING)
    make("region", attribute="region", attribute_value="*")
    make("daily", window="daily")
    for name, points in (("ann", 30), ("bea", 20), ("cid", 10)):
        award(introduced(api, key, name, "eu"), points)
    over, _ = end_period("daily")
    keep()
    built(server)
    ann, bea, cid = (User.objects.get(external_id=name) for name in ("ann", "bea", "cid"))
    before = periods.clock()
    left = {ann.shown_name: 30, cid.shown_name: 10}
    with viewer(server, "?board=region.eu") as over_socket, watcher(server) as over_stream:
        for screen in (over_socket, over_stream):
            screen.scores({**left, bea.shown_name: 20})
        said = api.send("PUT", "/api/v1/players/bea", b'{"opted_out": true}', headers=key)
        assert said.status_code == 200
        for screen in (over_socket, over_stream):
            screen.scores(left)
    expected = [(1, ann.shown_name, 30), (2, cid.shown_name, 10)]
    for query in ("board=global", "board=region.eu", f"board=global&{at(before)}", f"board=region.eu&{at(before)}"):
        assert shown(api, query) == expected, query
    closed = api.get(f"{TOP}?board=daily&period={over}").json()["data"]
    assert [row["username"] for row in closed] == [ann.shown_name, cid.shown_name]
    for slug in ("global", "region.eu"):
        assert exported(api, slug, key) == expected
        around = api.get(f"/api/v1/score/{ann.pk}/around?board={slug}").json()["data"]
        assert [row["username"] for row in around] == [ann.shown_name, cid.shown_name]
        assert_problem(api.get(f"/api/v1/score/{bea.pk}?board={slug}"), "not-found")
