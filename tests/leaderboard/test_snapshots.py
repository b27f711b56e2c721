"""The copy of the board in each process: one read of Redis a second, however many readers, and never a herd."""

import sys
import threading
from typing import Any

import pytest
from django.db import OperationalError

from api import redis_client
from leaderboard import boards, ranking, reads, rebuild, snapshots
from leaderboard.boards import Board
from leaderboard.ranking.calls import Call
from leaderboard.snapshots import Snapshot
from tests.support.people import give, player
from tests.support.processes import PATIENCE, eventually
from tests.support.races import at_once, none_failed


class Reads:
    """Counts what reaches Redis; `gate`, when cleared, holds it up there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self._real = ranking.run
        monkeypatch.setattr(ranking, "run", self._run)

    def _run(self, call: Call[Any]) -> Any:
        if call.script == "top":
            self.count += 1
            self.entered.set()
            assert self.gate.wait(PATIENCE)
        return self._real(call)


@pytest.fixture
def redis_reads(board: Board, monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Copies age only when a test says so, however long it takes."""
    monkeypatch.setattr(snapshots, "FRESH_SECONDS", 600.0)
    monkeypatch.setattr(snapshots, "STALE_SECONDS", 3000.0)
    return Reads(monkeypatch)


def age(board: Board, seconds: float) -> None:
    """Makes the copy older without waiting."""
    current = snapshots.of(board).current
    assert current is not None
    current.taken -= seconds


def test_32_readers_of_a_cold_cache_read_redis_once(board: Board, redis_reads: Reads) -> None:
    give(player(), 5)
    got = at_once(32, lambda _: snapshots.get(board))
    assert redis_reads.count == 1
    assert all(isinstance(snapshot, Snapshot) and snapshot is got[0] for snapshot in got)


def test_a_fresh_copy_is_served_without_redis(board: Board, redis_reads: Reads) -> None:
    first = snapshots.get(board)
    give(player(), 5)
    assert all(snapshots.get(board) is first for _ in range(10))
    assert redis_reads.count == 1


def test_a_stale_copy_is_served_to_all_but_the_one_who_refreshes_it(board: Board, redis_reads: Reads) -> None:
    old = snapshots.get(board)
    newcomer = player()
    give(newcomer, 5)
    age(board, snapshots.FRESH_SECONDS)
    redis_reads.gate.clear()
    redis_reads.entered.clear()
    refreshed: list[Snapshot] = []
    one = threading.Thread(target=lambda: refreshed.append(snapshots.get(board)))
    one.start()
    assert redis_reads.entered.wait(PATIENCE)

    # The refresh hangs in Redis; no reader does.
    assert all(snapshots.get(board) is old for _ in range(100))
    redis_reads.gate.set()
    one.join(PATIENCE)
    assert redis_reads.count == 2
    assert refreshed[0].page.rows[0].user_id == str(newcomer.pk)
    assert snapshots.get(board) is refreshed[0]


def test_a_copy_too_old_is_not_shown_and_refreshed_once(board: Board, redis_reads: Reads) -> None:
    old = snapshots.get(board)
    age(board, snapshots.STALE_SECONDS)
    got = at_once(16, lambda _: snapshots.get(board))
    assert redis_reads.count == 2
    assert all(isinstance(snapshot, Snapshot) and snapshot is got[0] for snapshot in got)
    assert got[0] is not old


def test_each_slice_is_encoded_once_for_all_its_readers(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    give(player(), 5)
    encoded: list[int] = []
    real = snapshots.encode_page

    def counting(*arguments: Any) -> bytes:
        encoded.append(1)
        return real(*arguments)

    monkeypatch.setattr(snapshots, "encode_page", counting)
    snapshot = snapshots.get(board)
    bodies = [snapshot.body(10, 0) for _ in range(50)]
    assert all(body is bodies[0] for body in bodies)
    assert len(encoded) == 1


def nothing_answers(*_: Any) -> Any:
    raise OperationalError("both are away")


def test_a_read_that_a_push_overtakes_does_not_take_the_copy_back(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "FRESH_SECONDS", 600.0)
    user = player()
    give(user, 5)
    read = reads.top

    def overtaken(*asked: Any) -> ranking.Page:
        page = read(*asked)
        give(user, 2)
        snapshots.put(board, read(*asked))
        return page

    monkeypatch.setattr(reads, "top", overtaken)
    assert [row.score for row in snapshots.get(board).page.rows] == [7]
    assert [row.score for row in snapshots.get(board).page.rows] == [7]


def test_with_redis_and_sql_away_the_last_copy_is_shown_while_it_is_not_too_old(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = snapshots.get(board)
    monkeypatch.setattr(reads, "top", nothing_answers)
    age(board, snapshots.FRESH_SECONDS)
    assert [snapshots.get(board) for _ in range(3)] == [last] * 3
    age(board, snapshots.STALE_SECONDS)
    for _ in range(2):  # the lock of the one refresh is free again
        with pytest.raises(OperationalError):
            snapshots.get(board)


def test_a_copy_made_from_sql_gives_way_to_redis_when_the_board_is_back(board: Board) -> None:
    give(player(), 5)
    redis_client.connection().delete(*boards.keys(board).all())
    by_sql = snapshots.get(board).page
    assert (by_sql.epoch, by_sql.seq, len(by_sql.rows)) == (None, None, 1)

    # That read has started the rebuild, in a thread of its own.
    eventually(lambda: ranking.epoch(board), "the board is rebuilt")
    age(board, snapshots.FRESH_SECONDS)
    by_redis = snapshots.get(board).page
    assert by_redis.epoch == ranking.epoch(board)
    assert by_redis.rows == by_sql.rows
    eventually(lambda: not rebuild._building.locked(), "the thread ends")


def test_readers_of_more_boards_than_there_are_copies_of_do_not_disturb_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshots, "KEPT", 50)
    many = [Board(f"board-{number}", "Board", number) for number in range(1, 200)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns at every chance
    try:
        none_failed(at_once(16, lambda _: [snapshots.of(board) for board in many * 80], connected=False))
    finally:
        sys.setswitchinterval(interval)
        snapshots._snapshots.clear()
