"""Redemption: spend a token, get its points. One statement, one transaction, one round trip, for one or a hundred."""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from actions.admission import Admitted, Refusal, Submission, admit
from actions.committer import Committer, Contended
from actions.outcomes import Redeemed, Spent, answer, settle_repeats, spend
from actions.tokens import Claims
from api.request_ids import current_request_id
from scoreboard import ledger
from scoreboard.metrics import SCORE_INCREMENT_FAILURES, SCORE_INCREMENTS
from scoreboard.signals import Placement

REDEEM = """
SELECT * FROM action_redeem(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[],
                            %s::timestamptz[], %s::timestamptz[], %s, %s::text[])
"""


# For a row that somebody else holds: every redemption of the process waits meanwhile.
GROUP_LOCK_PATIENCE_MS = 200


Result = Redeemed | Refusal
Settled = Spent | Refusal


def redeem(user_id: uuid.UUID, submission: Submission) -> Redeemed:
    """Redeems one token for this user.

    Raises ValidationError for a timestamp outside the window and Problem: 401 disabled user, 403 token-invalid,
    409 already-redeemed (with `original`) or score-out-of-range, 410 token-expired, 425 too-early.
    """
    [result] = redeem_all(user_id, [submission])
    if isinstance(result, Exception):
        raise result
    return result


def redeem_all(user_id: uuid.UUID, submissions: Sequence[Submission]) -> list[Result]:
    """Redeems each submission on its own merits; what refuses one does not touch the others. Order is kept."""
    admitted = admit(user_id, submissions)
    claims = [one for one in admitted if isinstance(one, Claims)]
    if not claims:
        return answers(merged(admitted, []), {})
    spent, placements = commit_somehow(claims)
    return answers(merged(admitted, spent), placements)


def commit_somehow(claims: Sequence[Claims]) -> tuple[list[Spent], Mapping[uuid.UUID, Placement]]:
    """With whatever else is waiting in this process, if it has a committer and nobody holds up the group."""
    if _committer is not None:
        with suppress(Contended):
            return _committer.redeem(claims, current_request_id())
    return commit(claims, [current_request_id()] * len(claims))


_committer: Committer | None = None


def start_committer() -> None:
    """Has this process redeem in groups from now on. Called once by each server process, not by commands or tasks."""
    global _committer
    _committer = Committer(commit_group)


def commit_group(
    claims: Sequence[Claims], request_ids: Sequence[str]
) -> tuple[list[Spent], Mapping[uuid.UUID, Placement]]:
    """`commit` for the committer's thread, which must not wait long for a row that somebody holds."""
    if connection.connection is None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {GROUP_LOCK_PATIENCE_MS}")
    return commit(claims, request_ids)


def commit(claims: Sequence[Claims], request_ids: Sequence[str]) -> tuple[list[Spent], Mapping[uuid.UUID, Placement]]:
    """Spends these claims, of however many players, in one statement and tells the read side in one call."""
    spent = spend_all(claims, request_ids)
    return spent, announce(spent)


def spend_all(claims: Sequence[Claims], request_ids: Sequence[str], *, as_of: datetime | None = None) -> list[Spent]:
    """Spends these claims in one statement, without telling the read side. Order is kept."""
    spent = [spend(row, one) for row, one in zip(claim_rows(claims, request_ids, as_of), claims, strict=True)]
    settle_repeats(spent)
    count(spent)
    return spent


def settle(admitted: Sequence[Admitted], *, as_of: datetime | None = None) -> list[Settled]:
    """Spends what was admitted, for callers with a transaction of their own, who announce after it.

    `as_of`: when queued work was accepted; its tokens are judged as of then.
    """
    claims = [one for one in admitted if isinstance(one, Claims)]
    return merged(admitted, spend_all(claims, [current_request_id()] * len(claims), as_of=as_of))


def merged(admitted: Sequence[Admitted], spent: "Sequence[Spent]") -> list[Settled]:
    """What was spent, back among what was refused before, in the order of the request."""
    following = iter(spent)
    return [next(following) if isinstance(one, Claims) else one for one in admitted]


def announce(settled: Sequence[Settled]) -> Mapping[uuid.UUID, Placement]:
    """Tells the read side what was redeemed, after commit; where it placed the players."""
    return ledger.announce(d.standing for d in settled if isinstance(d, Spent) and d.outcome == "redeemed")


def answers(settled: Sequence[Settled], placements: Mapping[uuid.UUID, Placement]) -> list[Result]:
    """What the client is told about each."""
    return [answer(d, placements) if isinstance(d, Spent) else d for d in settled]


def claim_rows(claims: Sequence[Claims], request_ids: Sequence[str], as_of: datetime | None) -> list[tuple[Any, ...]]:
    """Runs the one statement: locks, judges, records and spends."""
    if not claims:
        return []
    issued, expires = None, None
    # A separate signer's get their rows here, on first sight; queued work's had them when it was accepted.
    if as_of is None and any(c.separate for c in claims):
        issued = [moment(c.issued_at) if c.separate else None for c in claims]
        expires = [moment(c.expires_at) if c.separate else None for c in claims]
    parameters: list[Any] = [
        [c.action_id for c in claims],
        [c.user_id for c in claims],
        [c.action_type for c in claims],
        [c.points for c in claims],
        issued,
        expires,
        as_of,
        list(request_ids),
    ]
    with connection.cursor() as cursor:
        cursor.execute(REDEEM, parameters)
        return list(cursor.fetchall())


def moment(unix_seconds: int) -> datetime:
    return datetime.fromtimestamp(unix_seconds, UTC)


def count(spent: Sequence[Spent]) -> None:
    for row in spent:
        if row.outcome == "redeemed":
            SCORE_INCREMENTS.labels("action").inc()
        else:
            SCORE_INCREMENT_FAILURES.labels(row.outcome).inc()
