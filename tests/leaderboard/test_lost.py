"""A board of which Redis has lost a part: SQL serves at once, and a rebuild brings it back under a new epoch."""

import itertools
from collections.abc import Callable
from typing import Any, cast

import pytest

from accounts.models import User
from api import redis_client
from leaderboard import boards, ranking, reads, rebuild, tasks
from leaderboard.boards import Board
from scoreboard import ledger
from tests.support.agreement import assert_agreement, shown, sql_rows
from tests.support.client import TOP, Api
from tests.support.fixtures import forget_boards
from tests.support.people import give, player, players
from tests.support.processes import eventually
from tests.support.redis_of_our_own import OwnRedis
from tests.support.spoiling import HARMS, deleted
from tests.support.viewer import Viewer

KEYS = ("rank", "player", "profile", "meta")


@pytest.fixture
def crowd(board: Board) -> list[User]:
    """Six players, one of them hidden: the board remembers one more than it shows."""
    crowd = players(6)
    for points, user in enumerate(crowd, start=10):
        give(user, points)
    User.objects.filter(pk=crowd[5].pk).update(is_hidden=True)
    ledger.announce_players([crowd[5].pk])
    return crowd


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", KEYS)
def test_a_board_without_a_part_of_a_key_is_sqls_and_then_a_new_one(
    board: Board, crowd: list[User], api: Api, monkeypatch: pytest.MonkeyPatch, name: str, harm: Callable[[str], None]
) -> None:
    epoch, viewer = ranking.epoch(board), Viewer(board, boards.VISIBLE_TOP)
    harm(getattr(boards.keys(board), name))
    noticed: list[Board] = []
    with monkeypatch.context() as while_lost:
        while_lost.setattr(rebuild, "in_background", noticed.append)
        steps: list[Callable[[], object]] = [
            lambda: give(crowd[0], 50, announced=False),
            lambda: reads.top(board, 10),
            lambda: api.get(f"/api/v1/score/{crowd[1].pk}/around"),
            lambda: api.get("/api/v1/score/me", crowd[0]),
        ]
        for number, step in enumerate(steps[1:], start=1):
            step()
            assert len(noticed) >= number, "each read notices"
        before = len(noticed)
        ranks = ledger.announce([give(crowd[0], 50, announced=False).standing])
        assert (ranks, len(noticed)) == ({}, before + 1), "so does a write, which has no rank to tell"

        page = reads.top(board, 10)
        assert (page.epoch, page.rows, page.players) == (None, sql_rows(), 5)
        assert reads.around(board, crowd[1].pk, 5).rows == sql_rows()
        assert api.get("/api/v1/score/me", crowd[0]).json()["data"]["rank"] == 1
        forget_boards()
        assert api.get(TOP).json()["data"] == shown(sql_rows())
        assert ranking.epoch(board) is None

    reads.top(board, 10)
    eventually(lambda: ranking.epoch(board), "the board is rebuilt")
    assert ranking.epoch(board) != epoch
    viewer.follow()  # the new epoch was announced
    viewer.close()
    assert_agreement(board)
    assert ledger.announce([give(crowd[1], 100, announced=False).standing])[crowd[1].pk] == 1


@pytest.mark.parametrize("meta", [{"seq": "9" * 400}, {"updated": "9" * 20 + ".0"}, {"updated": "1" * 400 + ".5"}])
def test_a_board_with_counters_that_no_script_writes_is_lost(
    board: Board, crowd: list[User], api: Api, meta: dict[str, str]
) -> None:
    redis: Any = redis_client.connection()
    redis.hset(boards.keys(board).meta, mapping=meta)
    assert ranking.epoch(board) is None
    assert api.get(TOP).json()["data"] == shown(sql_rows())


def test_an_epoch_that_is_no_text_is_served_as_text(board: Board, crowd: list[User], api: Api) -> None:
    redis: Any = redis_client.connection()
    redis.hset(boards.keys(board).meta, "epoch", b"\xff")
    assert api.get(TOP).json()["data"] == shown(sql_rows())
    assert give(crowd[0], 50).new_total == 60


def test_while_no_client_reads_or_writes_the_sweep_notices(board: Board, crowd: list[User]) -> None:
    for name, harm in itertools.product(KEYS, HARMS):
        epoch = ranking.epoch(board)
        harm(getattr(boards.keys(board), name))
        tasks.sweep()
        assert ranking.epoch(board) not in (None, epoch), (name, harm)
        assert_agreement(board)


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_goes_while_the_board_is_built_does_not_make_half_a_board(
    board: Board, crowd: list[User], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    deleted(boards.keys(board).meta)
    real = ranking.renew_lock

    def evicted(board: Board) -> None:
        real(board)
        deleted(getattr(boards.keys(board), name))

    monkeypatch.setattr(ranking, "renew_lock", evicted)
    assert not rebuild.rebuild(board)
    assert ranking.epoch(board) is None
    give(player(), 5)  # into what is left of it
    assert ranking.epoch(board) is None
    monkeypatch.undo()
    eventually(lambda: rebuild.rebuild(board) or ranking.epoch(board), "it is rebuilt")
    assert_agreement(board)


def test_an_empty_board_is_not_a_lost_one(board: Board) -> None:
    epoch, alone = ranking.epoch(board), player()
    assert ranking.top(board, 10).rows == []
    give(alone, 5)
    User.objects.filter(pk=alone.pk).update(is_hidden=True)
    ledger.announce_players([alone.pk])
    assert ranking.top(board, 10).rows == []
    tasks.sweep()
    assert ranking.epoch(board) == epoch
    assert_agreement(board)


@pytest.fixture
def evicting(transactional_db: None, own_redis: OwnRedis, redis_of_its_own: None) -> Board:
    """A board on a Redis of its own."""
    board = boards.get("global")
    assert rebuild.rebuild(board)
    return board


def test_a_redis_that_evicts_costs_no_reader_a_wrong_board(evicting: Board) -> None:
    """For real: its memory is full, and for each further key it deletes keys at random."""
    board, redis = evicting, cast(Any, redis_client.connection())
    for points, user in enumerate(players(20), start=10):
        give(user, points)
    names, taken, others = set(boards.keys(board).all()), set[str](), itertools.count()
    while len(taken) < 2:
        epoch = ranking.epoch(board)
        redis.config_set("maxmemory-policy", "allkeys-random")
        redis.config_set("maxmemory", redis.info("memory")["used_memory"] + 400_000)
        while all(redis.exists(name) for name in names):
            redis.set(f"other-{next(others)}", b"x" * 100_000)
        taken |= {name for name in names if not redis.exists(name)}
        assert reads.top(board, 50).rows == sql_rows(), taken
        redis.config_set("maxmemory", 0)
        redis.delete(*redis.keys("other-*"))
        eventually(lambda: ranking.epoch(board) or rebuild.rebuild(board), "the board is rebuilt")
        assert ranking.epoch(board) != epoch
        assert_agreement(board)
