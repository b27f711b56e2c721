"""Writing to the board as the projection does."""

import uuid
from datetime import UTC, datetime
from typing import Any

from channels.layers import get_channel_layer

from api import redis_client
from leaderboard import boards, ranking
from leaderboard.ranking import Page, Written
from scoreboard.standing import Standing

NAMESPACE = uuid.UUID("6f1ad9de-4c41-4b5a-9a05-0e4f6bbd3c0f")


def user_id(name: str) -> uuid.UUID:
    """The same id for the same name."""
    return uuid.uuid5(NAMESPACE, name)


def standing(name: str, total: int, version: int = 1, *, visible: bool = True) -> Standing:
    reached = datetime.fromtimestamp(1_700_000_000 + version, UTC)
    return Standing(user_id(name), total, version, reached, visible, name, "", "")


def write(name: str, total: int, version: int = 1, *, visible: bool = True) -> Written:
    """One player's new standing, straight into the ranking: SQL does not hear of it."""
    return ranking.write(boards.get("global"), [standing(name, total, version, visible=visible)])


def empty_board() -> str:
    """Puts an empty board under a new epoch in the place of whatever is there, in one step; returns the epoch."""
    epoch = uuid.uuid4().hex[:16]
    keys = boards.keys(boards.get("global"))
    pipeline = redis_client.connection().pipeline()
    pipeline.delete(*keys.all())
    pipeline.hset(keys.meta, mapping={"epoch": epoch, "seq": 1, "updated": "1.000", "known": 0, "shown": 0})
    pipeline.publish(boards.channel(boards.get("global")), announcement(epoch, 1))
    pipeline.execute()
    return epoch


def announcement(epoch: object, seq: object) -> bytes:
    """What the write script publishes."""
    return packed(type="board.changed", board="global", epoch=epoch, seq=seq)


def packed(**message: object) -> bytes:
    """A message as the channel layer sends it."""
    layer: Any = get_channel_layer()
    return bytes(layer.serialize(message))


def page() -> Page:
    """What every viewer should end up with."""
    return ranking.top(boards.get("global"), boards.VISIBLE_TOP)
