"""Random boards over random pasts and presents: every period of every board is what plain Python makes of the history.

In SQL, in Redis, over REST and on the wire. A period that is over is what it was when it was closed.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from leaderboard import boards, ranking, reconcile, snapshots
from leaderboard.boards import Board
from scoreboard import entrants, periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod
from tests.boards.drawn import (
    CROWD,
    EVENTS,
    PRESENT,
    a_past,
    make_past,
    play,
    rebuilt,
    rules,
)
from tests.support import past
from tests.support.boards import Line, address, in_sql, lines_of, now, recounted
from tests.support.client import TOP, Api
from tests.support.fixtures import forget_boards
from tests.support.people import players
from tests.support.processes import eventually
from tests.system.live.clients import viewer
from tests.system.live.conftest import assert_no_defect
from tests.system.live.server import Server

# What happened: (when, to whom, what, how much, which of some).


def over_rest(api: Api, period: BoardPeriod) -> list[tuple[uuid.UUID, int, int]]:
    snapshots._snapshots.clear()
    answer = api.get(f"{TOP}?board={address(period)}&period={period.key}&limit=100")
    assert answer.status_code == 200, answer.content
    document = json.loads(answer.content)
    assert document["board"]["period"] == period.key
    assert (document["board"]["closed_at"] is None) == (period.closed_at is None)
    return [(uuid.UUID(row["user_id"]), row["score"], row["rank"]) for row in document["data"]]


def short(lines: list[Line]) -> list[tuple[uuid.UUID, int, int]]:
    return [(line.user_id, line.score, line.rank) for line in lines]


def assert_on_the_wire(server: Server, period: BoardPeriod) -> None:
    """The first snapshot of who begins to watch now; the server may know the board a second later than this process."""
    expected = [(str(user_id), score, rank) for user_id, score, rank in short(recounted(period))]

    def seen() -> bool:
        with viewer(server, f"?board={address(period)}&limit=100") as anyone:
            first = anyone.next()
            if first["type"] == "error":
                return False
            push = anyone.until("leaderboard_update")
            return [(row["user_id"], row["score"], row["rank"]) for row in push["top"]] == expected

    eventually(seen, f"{address(period)} is {expected}")


@pytest.fixture
def server(board: Board, tmp_path: Any) -> Iterator[Server]:
    server = Server(tmp_path / "live.log")
    yield server
    server.close()
    assert_no_defect(server)


@given(st.lists(rules(), min_size=1, max_size=3), EVENTS, PRESENT, st.integers(0, 99))
@settings(
    max_examples=14,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_every_period_of_every_board_is_a_plain_recount_everywhere(
    afresh: Callable[[], None],
    unlimited: None,
    server: Server,
    api: Api,
    drawn: list[dict[str, Any]],
    before: list[tuple[int, int, str, int, int]],
    present: list[tuple[int, str, int, int]],
    which: int,
) -> None:
    afresh()
    crowd = players(CROWD)
    past.write(a_past(crowd, before))
    for rule in make_past(drawn):
        if rule.entry == Rule.Entry.JOIN:
            for user in crowd[which % CROWD :]:
                entrants.join(rule, user)
    periods.keep()
    forget_boards()
    closed = {
        period.pk: recounted(period)
        for period in BoardPeriod.objects.filter(closed_at__isnull=False).select_related("board")
    }
    for kept_one in boards.everyone():
        rebuilt(kept_one)
    play(crowd, present)
    forget_boards()
    begun = list(BoardPeriod.objects.filter(starts_at__lte=now()) | BoardPeriod.objects.filter(starts_at=None))
    hidden = set(User.objects.filter(is_hidden=True).values_list("pk", flat=True))
    watched = []
    for period in BoardPeriod.objects.select_related("board").filter(pk__in=[each.pk for each in begun]):
        if period.closed_at:
            kept = [line for line in closed[period.pk] if line.user_id not in hidden]
            assert over_rest(api, period) == short(kept), period
            continue
        one = boards.listing().boards[period.pk]
        expected = recounted(period)
        assert in_sql(one) == expected, (period, drawn)
        assert in_redis(one) == expected, (period, drawn)
        assert reconcile.reconcile(one, check=True).drift == 0
        assert over_rest(api, period) == short(expected), period
        watched.append(period)
    if watched:
        assert_on_the_wire(server, watched[which % len(watched)])


def in_redis(board: Board) -> list[Line]:
    """As live writes left it, and, once more, as a rebuild makes it."""

    def read() -> list[Line]:
        return lines_of(ranking.top(board, 1000))

    rebuilt(board)  # a part that was opened meanwhile
    written = read()
    ranking.command("delete", boards.keys(board).meta)
    rebuilt(board)
    assert read() == written
    return written
