"""Server-Sent Events: `GET /api/v1/scoreboard/stream`, for viewers that say nothing after their request."""

import json
import re
from contextlib import suppress
from typing import NoReturn

import structlog
from channels.exceptions import StopConsumer
from channels.generic.http import AsyncHttpConsumer
from structlog.contextvars import bind_contextvars

from api.problems import CONTENT_TYPE, Problem, note
from api.request_ids import accept_or_make
from leaderboard.boards import Board
from leaderboard.live import identities, messages, metrics
from leaderboard.live.board_consumer import BoardConsumer, ignored_token
from leaderboard.live.capacity import client_address
from leaderboard.live.hub import hub
from leaderboard.live.identities import NotAuthenticated, Unknown
from leaderboard.live.requests import LiveRequest, anyone
from leaderboard.live.transport import Message

log = structlog.get_logger(__name__)

METHODS = "GET, OPTIONS"
HEADERS = "Authorization, Cache-Control, Last-Event-ID, X-Request-ID"  # those a page of another origin may send
RETRY_SECONDS = "2"
SEQ = re.compile(r"[0-9]{1,15}")

Headers = dict[str, str]


class StreamConsumer(BoardConsumer, AsyncHttpConsumer):  # type: ignore[misc]
    """One viewer from request to disconnect."""

    kind = "sse"
    unproved: str | None = None  # what is wrong with the token that came with the request to a public board
    first_message = {"type": "http.request"}  # a body, if one comes, is not waited for

    async def http_request(self, message: Message) -> None:
        """Channels' own would end the response when `handle` returns; this one goes on until the client leaves."""
        if message is self.first_message:
            await self.handle(b"")

    async def handle(self, body: bytes) -> None:
        request = LiveRequest(self.scope)
        request_id = accept_or_make(request.headers.get("x-request-id"))
        bind_contextvars(request_id=request_id)
        self.headers = {"X-Request-ID": request_id, **cors(request)}
        self.client = client_address(request)
        if self.scope["method"] == "OPTIONS" and "access-control-request-method" in request.headers:
            await self.send_response(204, b"", headers=encoded({**self.headers, **preflight()}))
            raise StopConsumer
        try:
            self.enter(request, *await judge(request))
            await self.admit(request)
        except Problem as problem:
            await self.explain(problem)
        await self.send_headers(status=200, headers=encoded({**self.headers, **opening()}))
        if self.unproved is not None:
            self.say(messages.error("not-authenticated", self.unproved))
        self.show(claim(request.headers.get("last-event-id")))
        self.scope = {}  # a viewer stays for hours

    async def admit(self, request: LiveRequest) -> None:
        """Raises Problem not-authenticated, unavailable; on a public board bad credentials keep no viewer out."""
        # Browsers leave Origin out of their own pages' GET requests, and never out of another origin's.
        session = request.session if request.origin is None or request.own_origin else None
        try:
            token = identities.bearer(request.headers.get("authorization"))
            if token and self.public:
                self.credentials.present_token(token)
            elif token:
                await self.credentials.prove_token(token)
            elif session and self.public:
                self.credentials.present_session(session)
            elif session:
                with suppress(NotAuthenticated):
                    await self.credentials.prove_session(session)
        except NotAuthenticated as error:
            if not self.public:
                raise challenge(str(error), "token") from error
            note(ignored_token(str(error)), self.caller)
            metrics.REFUSALS.labels("ignored-token").inc()
            self.unproved = str(error)
        except Unknown as error:
            said = "Who you are cannot be checked right now; try again."
            raise Problem("unavailable", said, headers={"Retry-After": RETRY_SECONDS}) from error
        if not self.public and self.credentials.identity is None:
            raise challenge("Sign in to see this board.", "session" if session else "no-credentials")

    async def explain(self, problem: Problem) -> NoReturn:
        """The answer to a request that cannot be served."""
        said = problem.document()
        metrics.REFUSALS.labels(str(problem.status_code)).inc()
        note(problem, self.caller)
        log.info("live_refused", status=problem.status_code, code=problem.kind, detail=problem.sentence)
        body = json.dumps(said).encode()
        about = {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
        headers = encoded({**self.headers, **about, **problem.headers})
        await self.send_response(problem.status_code, b"" if self.scope["method"] == "HEAD" else body, headers=headers)
        raise StopConsumer


async def judge(request: LiveRequest) -> tuple[Board, str | None, int]:
    """(board, period, limit) of a request that may be served; the period as it was asked for. Raises Problem."""
    if request.scope["method"] != "GET":
        said = f"Method {request.scope['method']!r} is not allowed."
        raise Problem("method-not-allowed", said, headers={"Allow": METHODS})
    if not request.origin_allowed:
        raise Problem("forbidden", "Pages of this origin may not open the live board.", reason="origin")
    if hub().closing:
        raise Problem("unavailable", "This server is shutting down.", headers={"Retry-After": RETRY_SECONDS})
    return await hub().asked_for(request)


def claim(last_event_id: str | None) -> tuple[str, int | None] | None:
    """The (epoch, seq) that a viewer who comes back says it has."""
    if last_event_id is None:
        return None
    epoch, _, seq = last_event_id.rpartition(":")
    return epoch, int(seq) if SEQ.fullmatch(seq) else None


def challenge(detail: str, reason: str) -> Problem:
    headers = {"WWW-Authenticate": 'Bearer realm="api"'}
    return Problem("not-authenticated", detail, headers=headers, reason=reason)


def opening() -> Headers:
    """Nothing between us and the viewer may keep, change or collect the events."""
    return {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache, no-transform",
        "X-Accel-Buffering": "no",
    }


def cors(request: LiveRequest) -> Headers:
    """A page that may open the board may read it; credentials of another origin are never let in."""
    if anyone():
        return {"Access-Control-Allow-Origin": "*"}
    if request.origin is not None and request.origin_allowed:
        return {"Access-Control-Allow-Origin": request.origin, "Vary": "Origin"}
    return {"Vary": "Origin"}


def preflight() -> Headers:
    return {
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": HEADERS,
        "Access-Control-Max-Age": "86400",
    }


def encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
