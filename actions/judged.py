"""What is judged on its own merits, alone or in a batch: a submission, an award."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rest_framework.exceptions import ValidationError

from api.problems import Problem, note
from api.refusals import Caller, current_caller
from api.request_ids import current_request_id
from scoreboard import ledger
from scoreboard.metrics import SCORE_INCREMENT_FAILURES
from scoreboard.standing import Standing


@dataclass(slots=True, eq=False, kw_only=True)
class Judged:
    """One value from the request to the answer; each step fills in its part, and a refusal ends the way.

    `rank`: None when the board could not be told (Redis away) or shows none.
    """

    action_type: str = ""
    name: str | None = None  # what the client calls it, in its own words, as far as that is text
    request_id: str = field(default_factory=current_request_id)
    caller: Caller = field(default_factory=current_caller)
    refusal: Problem | ValidationError | None = None
    new_score: int | None = None
    score_delta: int | None = None
    standing: Standing | None = None
    rank: int | None = None

    def refuse(self, refusal: Problem | ValidationError) -> None:
        self.refusal = refusal
        SCORE_INCREMENT_FAILURES.labels(getattr(refusal, "kind", "invalid-request")).inc()
        if isinstance(refusal, Problem):
            note(refusal, self.caller, action_type=self.action_type, request_id=self.request_id)


def announce(judged: Sequence[Judged]) -> None:
    """Tells the read side what counted, after commit, and takes down the ranks of the players."""
    ranks = ledger.announce(one.standing for one in judged)
    for one in judged:
        if one.standing:
            one.rank = ranks.get(one.standing.user_id)
