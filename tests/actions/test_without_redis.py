"""Redis stopped, killed, hanging or full: scores are written, ranks are unknown, SQL shows the board, and it heals."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from accounts.models import User
from actions import redemption, tokens
from actions.submission import Submission
from api import redis_client
from leaderboard import boards, ranking, reads, rebuild, sweep
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory
from tests.support.agreement import assert_agreement, shown, sql_rows
from tests.support.client import TOP
from tests.support.people import give, players, submission
from tests.support.processes import eventually
from tests.support.redis_of_our_own import OwnRedis
from tests.support.unlimited import UNLIMITED
from tests.support.wire import Client
from tests.system.deploy.nginx import Web
from tests.system.live.conftest import assert_no_defect
from tests.system.live.server import Server

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
def board(transactional_db: None, own_redis: OwnRedis, redis_of_its_own: None) -> Iterator[Board]:
    """A board on a Redis that this test may do anything to."""
    board = boards.get("global")
    assert rebuild.rebuild(board)
    yield board
    if not own_redis.server.child.running():
        own_redis.start()
    redis_client.breaker.open_until = 0.0


def redeem(user: User, action_type: str = "WIN_MATCH") -> Submission:
    return redemption.redeem(user.pk, submission(tokens.mint(user.pk, action_type)))


@pytest.mark.parametrize(
    "way", ["stopped", *(pytest.param(way, marks=pytest.mark.long) for way in ("killed", "flushed too"))]
)
def test_what_is_scored_while_redis_is_away_is_on_the_board_afterwards(
    board: Board, own_redis: OwnRedis, way: str
) -> None:
    crowd = players(4)
    for user in crowd:
        assert redeem(user).rank is not None
    if way == "killed":
        own_redis.kill()
    else:
        own_redis.stop()

    for user in (*crowd, *crowd[:2]):
        assert redeem(user, "COMPLETE_TASK").rank is None
    User.objects.filter(pk=crowd[3].pk).update(is_hidden=True)
    assert [row.score for row in sql_rows()] == [70, 70, 60]
    page = reads.top(board, 10)
    assert (page.epoch, page.seq, page.rows) == (None, None, sql_rows())
    mine = reads.player(board, crowd[1].pk)
    assert mine is not None
    assert (mine.score, mine.rank, mine.players) == (70, 2, 3)
    with pytest.raises(ranking.Unavailable):
        sweep.sweep(board)

    own_redis.start()
    if way == "flushed too":
        cast(Any, redis_client.connection()).flushdb()
    sweep.sweep(board)
    assert_agreement(board)
    assert redeem(crowd[2]).rank is None  # this process does not know yet that nothing is missing
    eventually(lambda: redeem(crowd[2]).rank == 1, "it has seen to it")


def test_a_redis_that_lost_its_last_writes_and_counts_again_does_not_go_back_in_time(
    board: Board, own_redis: OwnRedis, tmp_path: Path
) -> None:
    """A copy of its data from before; the seq of then would be given out again for another board."""
    [user] = players(1)
    redeem(user)
    redis = cast(Any, redis_client.connection())
    copy = {key: redis.dump(key) for key in boards.keys(board).all()}
    for _ in range(5):
        redeem(user, "DAILY_LOGIN")
    seen = ranking.top(board, 10)
    own_redis.stop()
    own_redis.start()
    for key, value in copy.items():
        redis.restore(key, 0, value, replace=True)
    old = ranking.top(board, 10)
    assert (old.epoch, (old.seq or 0) < (seen.seq or 0)) == (seen.epoch, True)  # the fault is there

    sweep.sweep(board)
    healed = ranking.top(board, 10)
    assert healed.epoch != seen.epoch
    assert healed.rows == seen.rows
    assert_agreement(board)


def counted_attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The scripts this process tries to call, from now on."""
    attempts: list[str] = []
    real = ranking.script

    def counted(name: str) -> Any:
        attempts.append(name)
        return real(name)

    monkeypatch.setattr(ranking, "script", counted)
    return attempts


def test_a_redis_that_hangs_is_asked_once_and_then_left_alone(
    board: Board, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these calls would wait for it otherwise."""
    attempts = counted_attempts(monkeypatch)
    monkeypatch.setattr(redis_client.breaker, "seconds", 3600.0)
    monkeypatch.setattr(rebuild, "in_background", lambda board: None)
    [user] = players(1)
    minted = [submission(tokens.mint(user.pk, "DAILY_LOGIN")) for _ in range(20)]
    own_redis.send(signal.SIGSTOP)
    try:
        results = [redemption.redeem(user.pk, one) for one in minted]
        assert [result.rank for result in results] == [None] * 20
        assert [reads.top(board, 10).rows for _ in range(20)] == [sql_rows()] * 20
        assert len(attempts) == 1
    finally:
        own_redis.send(signal.SIGCONT)
    redis_client.breaker.open_until = 0.0
    eventually(lambda: redeem(user).rank == 1, "what Redis missed is on the board")
    sweep.sweep(board)
    assert_agreement(board)


def test_the_control_without_the_breaker_each_call_waits_for_it(
    board: Board, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_client.breaker, "trip", lambda: None)
    [user] = players(1)
    attempts = counted_attempts(monkeypatch)
    own_redis.send(signal.SIGSTOP)
    try:
        for _ in range(3):
            assert give(user, 1).outcome == "recorded"
        assert len(attempts) == 3
    finally:
        own_redis.send(signal.SIGCONT)


@pytest.mark.parametrize(
    "refusal", [{"maxmemory": "1"}, pytest.param({"min-replicas-to-write": "1"}, marks=pytest.mark.long)]
)
def test_a_redis_that_takes_no_writes_costs_ranks_and_no_score(
    board: Board, own_redis: OwnRedis, refusal: dict[str, str]
) -> None:
    first, second = players(2)
    redeem(first)
    redis = cast(Any, redis_client.connection())
    [(name, value)] = refusal.items()
    redis.config_set(name, value)
    assert redeem(second).new_score == 50
    assert redeem(first).rank is None
    redis_client.breaker.open_until = 0.0
    redis.config_set(name, "0")
    sweep.sweep(board)
    assert_agreement(board)


# --- Over HTTP, in a process that knows nothing of the test -----------------------------------------


@pytest.fixture
def web(board: Board, tmp_path: Path) -> Iterator[Server]:
    web = Web(tmp_path / "web.log", **UNLIMITED)
    yield web
    web.close()
    assert_no_defect(web)


def test_over_http_a_score_needs_no_redis(board: Board, own_redis: OwnRedis, web: Server) -> None:
    first, second = players(2)
    with Client(web) as client:
        assert client.act(first)["rank"] == 1
        assert client.get(TOP)[1]["epoch"] == ranking.epoch(board)
        own_redis.kill()

        assert client.act(second, "COMPLETE_TASK") == {"new_score": 10, "rank": None, "score_delta": 10}
        assert client.act(first, "COMPLETE_TASK") == {"new_score": 60, "rank": None, "score_delta": 10}
        assert ScoreHistory.objects.count() == 3
        eventually(lambda: client.get(TOP)[1]["data"] == shown(sql_rows()), "the board comes from SQL")
        assert client.get(TOP)[1]["epoch"] is None
        assert client.get("/api/v1/score/me", second)[1]["data"]["rank"] == 2
        assert client.get("/readyz") == (200, {"status": "degraded", "postgresql": "ok", "redis": "unavailable"})

        own_redis.start()
        sweep.sweep(board)
        assert_agreement(board)
        eventually(lambda: client.get("/readyz")[1]["status"] == "ok", "Redis is found again")
        eventually(lambda: client.get(TOP)[1]["epoch"] == ranking.epoch(board), "the board comes from Redis")
        assert client.act(second)["rank"] == 2
        assert_agreement(board)


def test_over_http_a_flushed_board_comes_back_by_itself(board: Board, own_redis: OwnRedis, web: Server) -> None:
    crowd = players(3)
    with Client(web) as client:
        for user in crowd:
            client.act(user)
        epoch = ranking.epoch(board)
        cast(Any, redis_client.connection()).flushall()
        client.act(crowd[2])  # no process reads; writing alone must do
        eventually(lambda: ranking.epoch(board) not in (None, epoch), "the board is rebuilt")
        assert_agreement(board)
        assert client.act(crowd[1])["rank"] == 2
        assert_agreement(board)
