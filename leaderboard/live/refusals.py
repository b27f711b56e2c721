"""Ending a WebSocket with a reason."""

import structlog

from api.problems import Problem
from leaderboard.live import messages, metrics

log = structlog.get_logger(__name__)


class Refused(Exception):
    """The connection ends with an error message of this code and detail, and this close code."""

    def __init__(self, close_code: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.close_code, self.code, self.detail = close_code, code, detail

    def note(self) -> None:
        """For the operator."""
        metrics.REFUSALS.labels(str(self.close_code)).inc()
        log.info("live_refused", close_code=self.close_code, code=self.code, detail=self.detail)


def bad_request(problem: Problem) -> Refused:
    """For a query that cannot be served."""
    errors = problem.extra.get("errors", {})
    detail = "; ".join(f"{name}: {' '.join(said)}" for name, said in errors.items()) or problem.sentence
    return Refused(messages.BAD_REQUEST, problem.kind, detail)


def full(problem: Problem) -> Refused:
    return Refused(messages.FULL, problem.kind, problem.sentence)


def origin_refused() -> Refused:
    return Refused(messages.ORIGIN_REFUSED, "forbidden", "Pages of this origin may not open the live board.")


def not_authenticated(detail: str) -> Refused:
    return Refused(messages.NOT_AUTHENTICATED, "not-authenticated", detail)


def identity_unknown() -> Refused:
    return Refused(messages.IDENTITY_UNKNOWN, "unavailable", "The session cannot be checked right now; try again.")


def too_big() -> Refused:
    said = f"A message is larger than {messages.MAX_MESSAGE} bytes."
    return Refused(messages.TOO_BIG, "payload-too-large", said)


def too_many(count: int, seconds: float) -> Refused:
    return Refused(messages.TOO_MANY, "rate-limited", f"More than {count} messages in {seconds:.0f} s.")
