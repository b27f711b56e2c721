"""However many players are wrong, a reconcile holds only so many of them, beside writers whose writes all arrive."""

import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast

import pytest

from accounts.models import User
from api import redis_client
from benchmarks import reconcile_people as crowd
from leaderboard import boards, rebuild, reconcile
from leaderboard.boards import Board
from leaderboard.ranking import inspection
from leaderboard.reconcile import Doubts
from scoreboard import changes
from tests.leaderboard.writers import writers
from tests.support.agreement import assert_agreement
from tests.support.database import without_scores
from tests.support.processes import environment

FEW, MANY = 1_000, 10_000
FLAT = 1.5  # times as much memory for ten times as many players is flat


@pytest.fixture(autouse=True)
def in_small(board: Board, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All bounds a twentieth of the real ones, so that FEW players already reach them."""
    monkeypatch.setattr(changes, "CHUNK", 100)
    monkeypatch.setattr(inspection, "SCAN_COUNT", 50)
    monkeypatch.setattr(reconcile, "WAITING", FEW - 200)
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0.1)
    yield
    without_scores()  # row by row it would take minutes


def populate(have: int, want: int) -> None:
    """Players number have + 1 to `want`, with history."""
    crowd.populate(environment()["DATABASE_URL"], have, want)


def rebuilding(board: Board) -> None:
    redis_client.connection().delete(*boards.keys(board).all())
    assert rebuild.rebuild(board)


def checking(board: Board) -> None:
    assert reconcile.reconcile(board, check=True).drift >= FEW


def repairing(board: Board) -> None:
    assert reconcile.reconcile(board).repaired >= FEW


def all_stale(board: Board) -> None:
    crowd.spoil(redis_client.connection(), boards.keys(board).player, 0, 1)


def all_strangers(board: Board) -> None:
    """As many players that SQL does not have."""
    redis, keys = cast(Any, redis_client.connection()), boards.keys(board)
    members = [member for member, _ in redis.zrange(keys.rank, 0, -1, withscores=True)]
    for start in range(0, len(members), 1000):
        some = members[start : start + 1000]
        redis.hset(keys.player, mapping={b"x" + member: b"1:" for member in some})
    redis.hincrby(keys.meta, "known", len(members))


def untouched(board: Board) -> None:
    """As it is."""


WORK: list[tuple[Callable[[Board], None], Callable[[Board], None]]] = [
    (untouched, rebuilding),
    (all_stale, checking),
    (untouched, repairing),
    (all_strangers, checking),
    (untouched, repairing),
]


def highest(work: Callable[[Board], None], board: Board) -> int:
    """Bytes allocated at the highest while `work` ran."""
    tracemalloc.start()
    try:
        work(board)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def growth(board: Board, steps: Sequence[tuple[Callable[[Board], None], Callable[[Board], None]]]) -> list[float]:
    """How much more memory each step takes with MANY players than with FEW, as a ratio."""
    taken: list[list[int]] = []
    for have, want in ((0, FEW), (FEW, MANY)):
        populate(have, want)
        rebuilding(board)
        taken.append([])
        for spoil, work in steps:
            spoil(board)
            taken[-1].append(highest(work, board))
    return [many / few for few, many in zip(*taken, strict=True)]


@pytest.mark.long
def test_ten_times_as_many_wrong_players_take_no_more_memory(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    # As many suspects as may wait do so, however fast they are found: the pause is longer than the test.
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 600.0)
    monkeypatch.setattr(reconcile, "ripe", lambda due, doubts: doubts)
    ratios = growth(board, WORK)
    assert max(ratios) < FLAT, ratios
    assert_agreement(board)


@pytest.mark.long
def test_the_control_whoever_gathers_all_suspects_first_takes_more(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gathered(found: Iterable[Doubts]) -> Iterator[Doubts]:
        return iter(list(found))

    monkeypatch.setattr(reconcile, "after_a_pause", gathered)
    ratios = growth(board, [(all_stale, repairing)])
    assert min(ratios) > 2 * FLAT, ratios


def test_a_whole_board_is_repaired_beside_writers_and_no_write_is_lost(board: Board) -> None:
    populate(0, 5 * FEW)
    rebuilding(board)
    all_stale(board)
    with writers(4, list(User.objects.order_by("pk")[:40])):
        report = reconcile.reconcile(board)
    assert report.repaired > 4 * FEW  # the writers put some right themselves
    assert_agreement(board)
    assert list(reconcile.ledger_mismatches()) == []
