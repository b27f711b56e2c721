"""Reconcile names and repairs every kind of drift and calls nothing drift that is not."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from api import redis_client
from leaderboard import boards, drift, reconcile
from leaderboard.boards import Board
from scoreboard.models import MAX_TOTAL, UserScore
from tests.support.agreement import assert_agreement
from tests.support.database import unguarded
from tests.support.people import give, players
from tests.support.spoiling import DRIFTS, Hand
from tests.support.viewer import Viewer

pytestmark = pytest.mark.usefixtures("at_rest")

NOBODY = "5c9a3f50-7d2c-4c0f-9f7e-0d1b6a2e8c41"


@pytest.mark.parametrize(("spoil", "kind"), DRIFTS.items(), ids=lambda value: getattr(value, "__name__", value))
def test_each_kind_of_drift_is_named_and_repaired(
    board: Board, victim: User, spoil: Callable[[Hand], None], kind: str
) -> None:
    spoil(Hand(board, victim))
    report = reconcile.reconcile(board)
    assert report.found[kind] == 1
    assert report.players[kind] == [str(victim.pk)]
    assert_agreement(board)
    assert reconcile.reconcile(board, check=True).drift == 0


@pytest.mark.parametrize("hidden", [{"is_hidden": True}, {"is_active": False}])
def test_a_hidden_player_left_on_the_board_is_extra(board: Board, victim: User, hidden: dict[str, bool]) -> None:
    before = {key: redis_client.connection().dump(key) for key in boards.keys(board).all()[:3]}
    User.objects.filter(pk=victim.pk).update(**hidden)
    redis: Any = redis_client.connection()
    version = UserScore.objects.get(user=victim).version
    for key, value in before.items():
        redis.restore(key, 0, value, replace=True)
    at = Hand(board, victim)
    redis.hset(at.keys.player, at.field, f"{version}:{at.member}")
    report = reconcile.reconcile(board)
    assert report.players["extra"] == [str(victim.pk)]
    assert_agreement(board)


@pytest.mark.parametrize("stranger", [NOBODY, "nobody", "", b"\xff\xfe", "x" * 5000])
def test_a_player_sql_does_not_have_is_extra(board: Board, victim: User, stranger: str | bytes) -> None:
    redis: Any = redis_client.connection()
    redis.hset(boards.keys(board).player, stranger, "1:")
    redis.hincrby(boards.keys(board).meta, "known", 1)
    assert reconcile.reconcile(board).found["extra"] == 1
    assert_agreement(board)


@pytest.mark.parametrize("member", ["", "x", "7" * 16, f"{'0' * 16}{NOBODY}", b"\xff" * 20, "the victim's"])
def test_a_line_that_no_script_wrote_makes_the_board_lost_and_its_going_is_announced(
    board: Board, victim: User, member: str | bytes
) -> None:
    redis: Any = redis_client.connection()
    impostor = f"{'0' * 16}{victim.pk}" if member == "the victim's" else member
    redis.zadd(boards.keys(board).rank, {impostor: MAX_TOTAL})
    viewer = Viewer(board, boards.VISIBLE_TOP)  # saw the impostor at the top
    assert reconcile.reconcile(board).lost
    viewer.follow()
    viewer.close()
    assert_agreement(board)


@pytest.mark.parametrize("change", ["UPDATE user_scores SET total = total + 1", "UPDATE user_scores SET total = 0"])
def test_a_total_that_is_not_the_sum_of_its_history_is_reported_and_left_alone(
    board: Board, victim: User, change: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"{change} WHERE user_id = %s", [victim.pk])
    total = UserScore.objects.get(user=victim).total
    for _ in range(2):
        report = reconcile.reconcile(board)
        assert report.players["ledger"] == [str(victim.pk)]
    assert UserScore.objects.get(user=victim).total == total


def test_history_without_a_total_is_a_ledger_mismatch(board: Board, victim: User) -> None:
    with unguarded() as cursor:
        cursor.execute("DELETE FROM user_scores WHERE user_id = %s", [victim.pk])
    assert reconcile.reconcile(board).players["ledger"] == [str(victim.pk)]


@pytest.mark.parametrize("field", [None, "epoch", "seq", "updated"])
def test_a_lost_board_is_reported_and_rebuilt(board: Board, victim: User, field: str | None) -> None:
    redis: Any = redis_client.connection()
    if field is None:
        redis.delete(*boards.keys(board).all())
    else:
        redis.hdel(boards.keys(board).meta, field)
    assert reconcile.reconcile(board, check=True).lost
    report = reconcile.reconcile(board)
    assert report.lost
    assert report.drift == 1
    assert_agreement(board)


def test_many_kinds_at_once_and_more_players_than_one_chunk(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoreboard.changes.CHUNK", 3)
    crowd = players(len(DRIFTS) + 7)
    for user in crowd:
        give(user, 50)
    for spoil, user in zip(DRIFTS, crowd, strict=False):
        spoil(Hand(board, user))
    report = reconcile.reconcile(board)
    assert report.compared == len(crowd)
    assert sorted(named for kind in report.players.values() for named in kind) == sorted(
        str(user.pk) for user in crowd[: len(DRIFTS)]
    )
    assert_agreement(board)


@pytest.mark.parametrize(
    "kept", ['{"at": 1e300, "compared": 1, "drift": 0}', '{"at": 0, "compared": Infinity, "drift": 0}']
)
def test_a_remembered_comparison_that_is_none_is_not_believed(board: Board, kept: str) -> None:
    redis_client.connection().set(boards.keys(board).compared, kept)
    assert drift.last(board) is None


def test_a_version_of_more_digits_than_a_number_has_is_stale(board: Board, victim: User) -> None:
    at = Hand(board, victim)
    at.redis.hset(at.keys.player, at.field, f"{'9' * 5000}:{at.member}")
    assert reconcile.reconcile(board).found["stale"] == 1
    assert_agreement(board)
