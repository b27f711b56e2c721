"""Ending a WebSocket with a reason: the close codes, and what is said before each."""

from http import HTTPStatus

import structlog
from websockets.frames import Frame, Opcode

from api.problems import Problem, note
from api.refusals import Caller
from leaderboard.live import metrics
from leaderboard.live.messages import MAX_MESSAGE

# 4000 to 4499: come back. 4500 to 4999: nothing would change.
CLOSING_DOWN = 4000
IDENTITY_UNKNOWN = 4001  # who it is could not be looked up just now
FULL = 4002
TOO_SLOW = 4408
NOT_AUTHENTICATED = 4501
ORIGIN_REFUSED = 4503
BAD_REQUEST = 4504  # the query names no board, or a limit outside 1 to 100
TOO_BIG = 4513
TOO_MANY = 4529

log = structlog.get_logger(__name__)


class Refused(Exception):
    """The connection ends with an error message of this code and detail, and this close code.

    `reason` is the operator's, as in `Problem`.
    """

    def __init__(self, close_code: int, code: str, detail: str, reason: str = "") -> None:
        super().__init__(detail)
        self.close_code, self.code, self.detail, self.reason = close_code, code, detail, reason

    def note(self, caller: Caller) -> None:
        """For the operator."""
        metrics.REFUSALS.labels(str(self.close_code)).inc()
        note(Problem(self.code, self.detail, reason=self.reason), caller)
        log.info("live_refused", close_code=self.close_code, code=self.code, detail=self.detail)


def close_frame(code: int) -> bytes:
    """For a connection whose library has already said goodbye in its own words."""
    return Frame(Opcode.CLOSE, code.to_bytes(2, "big")).serialize(mask=False)


def closing_down() -> Refused:
    return Refused(CLOSING_DOWN, "unavailable", "This server is shutting down.")


def bad_request(problem: Problem) -> Refused:
    """For a query that cannot be served."""
    errors = problem.extra.get("errors", {})
    detail = "; ".join(f"{name}: {' '.join(said)}" for name, said in errors.items()) or problem.sentence
    later = problem.status_code == HTTPStatus.SERVICE_UNAVAILABLE  # a board that is being counted
    return Refused(FULL if later else BAD_REQUEST, problem.kind, detail)


def full(problem: Problem) -> Refused:
    return Refused(FULL, problem.kind, problem.sentence)


def origin_refused() -> Refused:
    return Refused(ORIGIN_REFUSED, "forbidden", "Pages of this origin may not open the live board.", "origin")


def not_authenticated(detail: str, reason: str) -> Refused:
    return Refused(NOT_AUTHENTICATED, "not-authenticated", detail, reason)


def identity_unknown() -> Refused:
    return Refused(IDENTITY_UNKNOWN, "unavailable", "Who you are cannot be checked right now; try again.")


def too_big() -> Refused:
    return Refused(TOO_BIG, "payload-too-large", f"A message is larger than {MAX_MESSAGE} bytes.")


def too_many(count: int, seconds: float) -> Refused:
    return Refused(TOO_MANY, "rate-limited", f"More than {count} messages in {seconds:.0f} s.")
