"""Every Redis command on a board's keys. The order is PostgreSQL's: `total DESC, reached_at, user_id DESC`.

`calls` says what each script is given and what its reply means, without I/O; `commands` asks from synchronous code,
`asynchronous` from the live side. `inspection` is what reconcile looks at and repairs. A player is stored as `members`
says.

Raises Unavailable when Redis cannot answer and Lost when it answers but no longer has the board; both mean
"serve from SQL".
"""

from leaderboard.ranking.calls import Behind, Lost, Page, Place, Row, Superseded, Written
from leaderboard.ranking.commands import (
    acquire_lock,
    adopt,
    around,
    begin_build,
    command,
    epoch,
    finish_build,
    mark_swept,
    meta,
    places,
    release_lock,
    renew_lock,
    top,
    write,
)
from leaderboard.ranking.members import MEMBER_TIME_DIGITS, member, member_parts, profile
from leaderboard.ranking.retry import SLICE, Unavailable, retrying, slices

__all__ = [
    "MEMBER_TIME_DIGITS",
    "SLICE",
    "Behind",
    "Lost",
    "Page",
    "Place",
    "Row",
    "Superseded",
    "Unavailable",
    "Written",
    "acquire_lock",
    "adopt",
    "around",
    "begin_build",
    "command",
    "epoch",
    "finish_build",
    "mark_swept",
    "member",
    "member_parts",
    "meta",
    "places",
    "profile",
    "release_lock",
    "renew_lock",
    "retrying",
    "slices",
    "top",
    "write",
]
