"""What became of each token: the statement's rows, and the words for them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from actions import tokens
from actions.tokens import Claims
from api.problems import Problem
from scoreboard.signals import Placement, Standing


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A redemption that counted. `rank` is None when the board could not be told (Redis away) or shows no rank."""

    action_id: uuid.UUID
    new_score: int
    score_delta: int
    rank: int | None


@dataclass(slots=True)
class Spent:
    """One row of `redeem_outcome`: what PostgreSQL decided about one token."""

    outcome: str
    action_id: uuid.UUID
    delta: int | None
    new_total: int | None
    created_at: datetime | None
    standing: Standing | None
    wait_seconds: float | None


def spend(row: Sequence[Any], claims: Claims) -> Spent:
    (_ord, outcome, user_id, action_id, delta, _old, new_total, created_at, *standing, wait_seconds) = row
    if outcome == "unknown":
        # Rows are purged only after expiry. One that is missing earlier was never ours: a restored backup, say.
        expired = claims.expires_at <= datetime.now(UTC).timestamp()
        outcome = "token-expired" if expired else "token-invalid"
    return Spent(
        outcome=outcome,
        action_id=action_id,
        delta=delta,
        new_total=new_total,
        created_at=created_at,
        standing=Standing(user_id, *standing) if standing[0] is not None else None,
        wait_seconds=wait_seconds,
    )


def settle_repeats(spent: list[Spent]) -> None:
    """A token handed in twice in one batch: the repeat's original is the first's row, not yet visible to SQL."""
    first: dict[uuid.UUID, Spent] = {}
    for row in spent:
        original = first.setdefault(row.action_id, row)
        if row is not original and row.outcome == "already-redeemed" and row.new_total is None:
            if original.outcome in ("redeemed", "already-redeemed"):
                row.delta, row.new_total, row.created_at = (
                    original.delta,
                    original.new_total,
                    original.created_at,
                )
            else:
                row.outcome = original.outcome


def answer(row: Spent, placements: Mapping[uuid.UUID, Placement]) -> Redeemed | Problem:
    """What the client is told about one token."""
    if row.outcome != "redeemed":
        return refused(row)
    if row.standing is None or row.new_total is None or row.delta is None:
        raise AssertionError("a redeemed row carries its entry and its standing")
    placement = placements.get(row.standing.user_id)
    return Redeemed(row.action_id, row.new_total, row.delta, placement.rank if placement else None)


def refused(row: Spent) -> Problem:
    match row.outcome:
        case "already-redeemed":
            original = {
                "new_score": row.new_total,
                "score_delta": row.delta,
                "redeemed_at": row.created_at,
            }
            return Problem(
                "already-redeemed",
                "This action token is already redeemed; `original` is what it did.",
                extra={"original": original},
            )
        case "score-out-of-range":
            return Problem("score-out-of-range", "The total would leave 0 to 9007199254740991.")
        case "token-expired":
            return Problem("token-expired", "The action token has expired; mint a new one.")
        case "too-early":
            seconds = max(1, -int(-(row.wait_seconds or 1) // 1))
            return Problem(
                "too-early",
                f"This action takes longer; redeem in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )
        case "not-authenticated":
            return Problem("not-authenticated", "The user is disabled or gone.")
        case _:
            return tokens.invalid("it is not one this server can spend")
