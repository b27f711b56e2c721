"""A submission: one token that is handed in, and everything that becomes of it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from actions import tokens
from actions.judged import Judged
from api.problems import Problem
from scoreboard import ledger
from scoreboard.metrics import SCORE_INCREMENTS
from scoreboard.standing import standing_or_none


@dataclass(slots=True, eq=False, kw_only=True)
class Submission(Judged):
    """Here is the body of `POST /score/update`, `timestamp` in Unix seconds. Admission adds the claims, the statement
    the outcome, the projection the rank.
    """

    action_id: uuid.UUID | None = None
    action_token: str = ""
    timestamp: float = 0.0
    claims: tokens.Claims | None = None

    def judged(self, row: Sequence[Any]) -> None:
        """Takes what PostgreSQL decided: a row of `redemption.REDEEM`."""
        outcome, delta, new_total, created_at, wait_seconds, *standing = row
        if outcome == "redeemed":
            self.new_score, self.score_delta, self.standing = new_total, delta, standing_or_none(standing)
            transaction.on_commit(SCORE_INCREMENTS.labels("action").inc)  # queued work has a transaction around this
        elif outcome == "already-redeemed":
            original = {"new_score": new_total, "score_delta": delta, "redeemed_at": created_at}
            self.refuse(Problem(outcome, REFUSALS[outcome], extra={"original": original}))
        elif outcome == "too-early":
            seconds = max(1, -int(-(wait_seconds or 1) // 1))
            sentence = f"This action takes longer; redeem in {seconds} s."
            self.refuse(Problem(outcome, sentence, headers={"Retry-After": str(seconds)}))
        elif outcome in ledger.REFUSALS:
            self.refuse(ledger.refusal(outcome))
        elif outcome in REFUSALS:
            self.refuse(Problem(outcome, REFUSALS[outcome]))
        elif outcome == "unknown" and self.claims and self.claims.expires_at <= datetime.now(UTC).timestamp():
            # Rows are purged only after expiry. One that is missing earlier was never ours: a restored backup, say.
            self.refuse(Problem("token-expired", REFUSALS["token-expired"]))
        else:
            self.refuse(tokens.invalid("it is not one this server can spend"))

    @property
    def answer(self) -> dict[str, Any]:
        """What the client is told of one that counted."""
        if self.claims is None or self.new_score is None:
            raise AssertionError("a submission that counted has claims and a score")
        return {
            "action_id": str(self.claims.action_id),
            "new_score": self.new_score,
            "rank": self.rank,
            "score_delta": self.score_delta,
        }


REFUSALS = {
    "already-redeemed": "This action token is already redeemed; `original` is what it did.",
    "token-expired": "The action token has expired; mint a new one.",
    "not-authenticated": "The user is disabled or gone.",
}
