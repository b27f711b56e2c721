"""A hand in Redis: each way to spoil what the board holds of one player, and what reconcile calls it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.exceptions import WatchError

from accounts.models import User
from api import redis_client
from leaderboard import boards
from leaderboard.boards import Board
from leaderboard.ranking import Lost, inspection
from scoreboard.models import MAX_TOTAL


class Hand:
    """What the board holds of one player, to be spoiled."""

    def __init__(self, board: Board, user: User) -> None:
        self.board = board
        self.redis: Any = redis_client.connection()
        self.keys, self.field = boards.keys(board), str(user.pk)

    @property
    def member(self) -> str:
        return str(self.redis.hget(self.keys.player, self.field).decode()).partition(":")[2]

    def spoil_beside_writers(self, spoil: "Spoil") -> None:
        """At one moment, or not at all: neither when a writer comes in between, nor where the player is not shown."""
        with self.redis.pipeline() as transaction:
            transaction.watch(self.keys.player)
            known = transaction.hget(self.keys.player, self.field) or b""
            transaction.multi()
            if known.partition(b":")[2]:
                with suppress(WatchError, Lost):
                    spoil(StillHand(self, transaction, known))
                    transaction.execute()


class StillHand(Hand):
    """Within a transaction, which is told nothing before its end."""

    def __init__(self, of: Hand, transaction: Any, known: bytes) -> None:
        self.board, self.keys, self.field = of.board, of.keys, of.field
        self.redis, self.known = transaction, known

    @property
    def member(self) -> str:
        return self.known.decode().partition(":")[2]


Spoil = Callable[[Hand], None]


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
    at.redis.hset(at.keys.player, at.field, f"999999999:{at.member}")


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


def of_another_type(key: str) -> None:
    redis_client.connection().set(key, "anything")


HARMS: list[Callable[[str], None]] = [deleted, halved, of_another_type]

DRIFTS: dict[Spoil, str] = {
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


def lose(board: Board) -> None:
    """Redis has nothing of it any more."""
    redis_client.connection().delete(*boards.keys(board).all())
