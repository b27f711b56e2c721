"""What can go wrong, with the scoreboard's own words about it."""

from typing import Any


class ScoreboardError(Exception):
    """`document`: the problem document of the answer (RFC 9457), {} if there was none; `kind`: its slug.

    `status` is 0 without an answer. `request_id`: what the scoreboard's logs call the request.
    """

    def __init__(
        self, said: str, request_id: str = "", status: int = 0, document: dict[str, Any] | None = None
    ) -> None:
        self.request_id, self.status, self.document = request_id, status, document or {}
        self.kind = str(self.document.get("type", "")).removeprefix("/problems/")
        reason = ": ".join(str(self.document[name]) for name in ("title", "detail", "errors") if name in self.document)
        super().__init__(
            " ".join([said, *[str(status)] * bool(status), reason, request_id and f"(request {request_id})"])
        )


class Refused(ScoreboardError):
    """A final answer: the same call would be refused again."""


class Unavailable(ScoreboardError):
    """No final answer. The call may have counted or not: repeat it later, an award with the same id."""


class BufferFull(ScoreboardError):
    """The award was not accepted."""
