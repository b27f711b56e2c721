"""How a player is stored: the sorted set's member, which makes the order PostgreSQL's, and the profile."""

import json
from datetime import datetime, timedelta
from typing import Any

from leaderboard.boards import Board, Ties
from scoreboard.standing import EPOCH_START, Standing

Metadata = dict[str, Any]
MICROSECOND = timedelta(microseconds=1)
FAR_FUTURE = 2**63 - 1
MEMBER_TIME_DIGITS = 16


def microseconds(moment: datetime) -> int:
    """Exact microseconds since 1970; float arithmetic would lose the last digits."""
    return (moment - EPOCH_START) // MICROSECOND


def member(board: Board, standing: Standing) -> str:
    """The sorted set's member: the time in fixed width, so that ZREVRANGE has equals in the board's order.

    Inverted, unless the board puts the latest of equals first.
    """
    at = microseconds(standing.reached_at)
    return f"{at if board.ties == Ties.LATEST else FAR_FUTURE - at:0{MEMBER_TIME_DIGITS}x}{standing.user_id}"


def member_parts(board: Board, raw: str) -> tuple[datetime, str]:
    """(reached_at, user id) of a member."""
    at, user_id = int(raw[:MEMBER_TIME_DIGITS], 16), raw[MEMBER_TIME_DIGITS:]
    return EPOCH_START + (at if board.ties == Ties.LATEST else FAR_FUTURE - at) * MICROSECOND, user_id


def profile(standing: Standing) -> str:
    """What a board shows of a player beside rank and score."""
    shown: dict[str, Any] = {"username": standing.username, "avatar": standing.avatar_url or None}
    if standing.metadata is not None:
        shown["metadata"] = parsed(standing.metadata)
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def parsed(metadata: str | None) -> Metadata | None:
    """Of the JSON that PostgreSQL writes."""
    return None if metadata is None else json.loads(metadata)
