"""A Redis that hesitates in the middle of long work does not undo it."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from api import redis_client
from leaderboard import ranking, rebuild, reconcile, truth
from leaderboard.boards import Board
from leaderboard.ranking import Unavailable, retry
from tests.support.agreement import assert_agreement
from tests.support.people import give, players
from tests.support.processes import PATIENCE, eventually
from tests.support.redis_of_our_own import OwnRedis, own_redis
from tests.support.spoiling import Hand, lose, older

__all__ = ["own_redis"]

Hesitate = Callable[[object], None]


@pytest.fixture(autouse=True)
def in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0)
    monkeypatch.setattr("scoreboard.changes.CHUNK", 2)
    monkeypatch.setattr(retry, "RETRY_FOR_SECONDS", 60.0)  # the machine may hesitate as well


@pytest.fixture
def hesitate(own_redis: OwnRedis) -> Iterator[Hesitate]:
    """Stops Redis once, until a call has waited for it in vain."""
    continuing: list[threading.Thread] = []

    def once(_: object) -> None:
        if not continuing:
            own_redis.send(signal.SIGSTOP)
            continuing.append(threading.Thread(target=resume))
            continuing[0].start()

    def resume() -> None:
        eventually(lambda: redis_client.breaker.is_open, "a call gave up on Redis")
        own_redis.send(signal.SIGCONT)

    yield once
    for thread in continuing:
        thread.join(PATIENCE)
    redis_client.breaker.open_until = 0.0


@pytest.fixture
def crowd(own_redis: OwnRedis, board: Board) -> None:
    for user in players(7):
        give(user, 5)
        older(Hand(board, user))


@contextmanager
def pages_after(first: Hesitate, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Calls `first` between SQL's pages."""
    real = truth.everyone

    def everyone(board: Board) -> Iterator[object]:
        for standings in real(board):
            yield standings
            first(standings)

    with monkeypatch.context() as patch:
        patch.setattr(truth, "everyone", everyone)
        yield


def test_a_reconcile_waits_for_redis_and_goes_on(crowd: None, board: Board, hesitate: Hesitate) -> None:
    assert reconcile.reconcile(board, progress=hesitate).repaired == 7
    assert_agreement(board)


def test_a_rebuild_waits_for_redis_and_goes_on(
    crowd: None, board: Board, hesitate: Hesitate, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(board)
    with pages_after(hesitate, monkeypatch):
        assert rebuild.rebuild(board)
    assert_agreement(board)


def test_the_control_without_retries_one_slow_answer_ends_both(
    crowd: None, board: Board, hesitate: Hesitate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "RETRY_FOR_SECONDS", 0)
    with pytest.raises(Unavailable):
        reconcile.reconcile(board, progress=hesitate)


def test_who_is_not_at_long_work_never_waits(
    crowd: None, board: Board, hesitate: Hesitate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_client.breaker, "seconds", 3600.0)
    hesitate(None)
    for _ in range(2):  # one time-out, and then the breaker
        with pytest.raises(Unavailable):
            ranking.top(board, 10)
