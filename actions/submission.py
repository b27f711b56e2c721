"""A submission: one token that is handed in, and everything that becomes of it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rest_framework.exceptions import ValidationError

from actions import tokens
from api.problems import Problem, note
from api.refusals import Caller, current_caller
from api.request_ids import current_request_id
from scoreboard import ledger
from scoreboard.metrics import SCORE_INCREMENT_FAILURES, SCORE_INCREMENTS
from scoreboard.standing import Standing, standing_or_none


@dataclass(slots=True, eq=False)
class Submission:
    """One value from the request to the answer; each step fills in its part, and a refusal ends the way.

    The first four are the body of `POST /score/update`, `timestamp` in Unix seconds. Admission adds the claims, the
    statement the outcome, the projection the rank: None when the board could not be told (Redis away) or shows none.
    """

    action_id: uuid.UUID | None = None
    action_type: str = ""
    action_token: str = ""
    timestamp: float = 0.0
    name: str | None = None  # what the client calls it, in its own words
    request_id: str = field(default_factory=current_request_id)
    caller: Caller = field(default_factory=current_caller)
    refusal: Problem | ValidationError | None = None
    claims: tokens.Claims | None = None
    new_score: int | None = None
    score_delta: int | None = None
    standing: Standing | None = None
    rank: int | None = None

    def refuse(self, refusal: Problem | ValidationError) -> None:
        self.refusal = refusal
        SCORE_INCREMENT_FAILURES.labels(getattr(refusal, "kind", "invalid-request")).inc()
        if isinstance(refusal, Problem):
            note(refusal, self.caller, action_type=self.action_type, request_id=self.request_id)

    def judged(self, row: Sequence[Any]) -> None:
        """Takes what PostgreSQL decided: a row of `redemption.REDEEM`."""
        outcome, delta, new_total, created_at, wait_seconds, *standing = row
        if outcome == "redeemed":
            self.new_score, self.score_delta, self.standing = new_total, delta, standing_or_none(standing)
            SCORE_INCREMENTS.labels("action").inc()
        elif outcome == "already-redeemed":
            original = {"new_score": new_total, "score_delta": delta, "redeemed_at": created_at}
            self.refuse(Problem(outcome, REFUSALS[outcome], extra={"original": original}))
        elif outcome == "too-early":
            seconds = max(1, -int(-(wait_seconds or 1) // 1))
            sentence = f"This action takes longer; redeem in {seconds} s."
            self.refuse(Problem(outcome, sentence, headers={"Retry-After": str(seconds)}))
        elif outcome == "staff":
            self.refuse(ledger.staff_earn_nothing())
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
    "score-out-of-range": "The total would leave 0 to 9007199254740991.",
    "token-expired": "The action token has expired; mint a new one.",
    "not-authenticated": "The user is disabled or gone.",
}
