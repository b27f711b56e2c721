"""Redemption: spend a token, get its points. One statement, one transaction, one round trip, for one or a hundred."""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection

from actions.admission import admit
from actions.batcher import Batcher, Contended
from actions.judged import announce
from actions.submission import Submission
from actions.tokens import Claims
from api.timing import named
from scoreboard.standing import NESTED_COLUMNS

REDEEM = named(
    "redeem",
    f"""
SELECT o.outcome, o.delta, o.new_total, o.created_at, o.wait_seconds, {NESTED_COLUMNS}
  FROM action_redeem(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[],
                     %s::timestamptz[], %s::timestamptz[], %s, %s::text[], %s) o
 ORDER BY o.ord
""",  # noqa: S608
)


def redeem(user_id: uuid.UUID, submission: Submission) -> Submission:
    """Redeems one token for this user.

    Raises ValidationError for a timestamp outside the window and Problem: 401 disabled user, 403 token-invalid,
    409 already-redeemed (with `original`) or score-out-of-range, 410 token-expired, 425 too-early.
    """
    redeem_all(user_id, [submission])
    if submission.refusal:
        raise submission.refusal
    return submission


def redeem_all(user_id: uuid.UUID, submissions: Sequence[Submission]) -> None:
    """Redeems each submission on its own merits; what refuses one does not touch the others.

    Together with whatever else is waiting in this process, if it has a batcher and no session holds a row of the group.
    """
    admitted = admit(user_id, submissions)
    if _batcher is not None:
        with suppress(Contended):
            return _batcher.put(admitted)
    commit(admitted)


_batcher: Batcher[Submission] | None = None


def start_batcher() -> None:
    """Has this process redeem in groups from now on. Called once by each server process, not by commands or tasks."""
    global _batcher
    _batcher = Batcher(commit)


def is_busy() -> bool:
    """Whether so much waits for the commit in this process that more is to be queued: QUEUE_WHEN_BUSY."""
    bound = settings.QUEUE_WHEN_BUSY
    return bound > 0 and _batcher is not None and _batcher.backlog() >= bound


def commit(admitted: Sequence[Submission]) -> None:
    """Spends these tokens, of however many players, in one statement, and tells the read side in one call."""
    spend(admitted)
    announce(admitted)


def spend(admitted: Sequence[Submission], *, as_of: datetime | None = None) -> None:
    """Spends these tokens in one statement, without telling the read side: for callers with a transaction of their own.

    `as_of`: when queued work was accepted; its tokens are judged as of then, and have had their rows since then.
    """
    if not admitted:
        return
    claims = [one.claims for one in admitted if one.claims]
    token, user, action_type, points, issued, expires = columns(claims)
    if as_of is not None or not any(one.separate for one in claims):
        issued = expires = None
    request_ids = [one.request_id for one in admitted]
    with connection.cursor() as cursor:
        bound = settings.APPROVE_TYPE_POINTS
        cursor.execute(REDEEM, [token, user, action_type, points, issued, expires, as_of, request_ids, bound])
        for one, row in zip(admitted, cursor.fetchall(), strict=True):
            one.judged(row)


def columns(claims: Sequence[Claims]) -> list[list[Any] | None]:
    """The claims as SQL's functions take them: token, user, action type, points, issued, expires.

    The two times only of a separate signer's tokens, whose rows they make; other tokens have had theirs since minting.
    """
    return [
        [one.action_id for one in claims],
        [one.user_id for one in claims],
        [one.action_type for one in claims],
        [one.points for one in claims],
        [moment(one.issued_at) if one.separate else None for one in claims],
        [moment(one.expires_at) if one.separate else None for one in claims],
    ]


def moment(unix_seconds: int) -> datetime:
    return datetime.fromtimestamp(unix_seconds, UTC)
