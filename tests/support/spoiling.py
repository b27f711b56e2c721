"""A hand in Redis: each way to spoil what the board holds of one player, and what reconcile calls it."""

from collections.abc import Callable
from typing import Any

from accounts.models import User
from api import redis_client
from leaderboard import boards
from leaderboard.boards import Board
from leaderboard.ranking import inspection
from scoreboard.models import MAX_TOTAL


class Hand:
    """What the board holds of one player, to be spoiled."""

    def __init__(self, board: Board, user: User) -> None:
        self.board = board
        self.redis: Any = redis_client.connection()
        self.keys, self.field = boards.keys(board), str(user.pk)

    @property
    def known(self) -> str:
        """ "" while the board is lost, as writers beside a hand may find it; without a ":" after `nonsense`."""
        return str((self.redis.hget(self.keys.player, self.field) or b"").decode(errors="replace"))

    @property
    def member(self) -> str:
        return self.known.partition(":")[2]


def forget(at: Hand) -> None:
    """By the board's own script: a key that has lost members makes the whole board lost."""
    inspection.forget(at.board, dict(zip([at.field], inspection.entries(at.board, [at.field]), strict=True)))


def lower(at: Hand) -> None:
    at.redis.zadd(at.keys.rank, {at.member: 1})


def fraction(at: Hand) -> None:
    at.redis.zadd(at.keys.rank, {at.member: 49.5})


def raise_total(at: Hand) -> None:
    at.redis.zadd(at.keys.rank, {at.member: MAX_TOTAL})


def infinite(at: Hand) -> None:
    at.redis.zadd(at.keys.rank, {at.member: "inf"})


def newer(at: Hand) -> None:
    at.redis.hset(at.keys.player, at.field, f"999:{at.member}")


def older(at: Hand) -> None:
    at.redis.hset(at.keys.player, at.field, f"0:{at.member}")


def old_name(at: Hand) -> None:
    at.redis.hset(at.keys.profile, at.field, '{"username":"somebody","avatar":null}')


def nonsense(at: Hand) -> None:
    at.redis.hset(at.keys.player, at.field, b"\xff nonsense")


def deleted(key: str) -> None:
    redis_client.connection().delete(key)


def halved(key: str) -> None:
    """Every other member of a key is gone."""
    redis: Any = redis_client.connection()
    if redis.type(key) == b"zset":
        redis.zrem(key, *redis.zrange(key, 0, -1)[::2])
    else:
        redis.hdel(key, *sorted(redis.hkeys(key))[::2])


DRIFTS: dict[Callable[[Hand], None], str] = {
    forget: "missing",
    lower: "stale",
    fraction: "stale",
    raise_total: "ahead",
    infinite: "ahead",
    newer: "ahead",
    older: "stale",
    old_name: "stale",
    nonsense: "stale",
}
