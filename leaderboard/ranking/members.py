"""How a player is stored: the sorted set's member, which makes the order PostgreSQL's, and the profile."""

import json
import uuid
from datetime import UTC, datetime, timedelta

from scoreboard.standing import Standing

EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FAR_FUTURE = 2**63 - 1
MEMBER_TIME_DIGITS = 16


def microseconds(moment: datetime) -> int:
    """Exact microseconds since 1970; float arithmetic would lose the last digits."""
    return (moment - EPOCH_START) // MICROSECOND


def member(reached_at: datetime, user_id: uuid.UUID) -> str:
    """The sorted set's member: time inverted, in fixed width, so that ZREVRANGE puts the earliest of equals first."""
    return f"{FAR_FUTURE - microseconds(reached_at):0{MEMBER_TIME_DIGITS}x}{user_id}"


def member_parts(raw: str) -> tuple[datetime, str]:
    """(reached_at, user id) of a member."""
    inverted, user_id = raw[:MEMBER_TIME_DIGITS], raw[MEMBER_TIME_DIGITS:]
    return EPOCH_START + (FAR_FUTURE - int(inverted, 16)) * MICROSECOND, user_id


def profile(standing: Standing) -> str:
    """What a board shows of a player beside rank and score."""
    return json.dumps(
        {"username": standing.username, "avatar": standing.avatar_url or None},
        ensure_ascii=False,
        separators=(",", ":"),
    )
