"""What can fail when a score is changed."""

from api import problems

problems.declare(
    {
        "score-out-of-range": (409, "The total would leave its range"),
        "idempotency-conflict": (409, "The idempotency key was used for another request"),
    }
)
