"""Server-Sent Events: `GET /api/v1/scoreboard/stream`."""

import json

import structlog
from structlog.contextvars import bind_contextvars

from api.problems import CONTENT_TYPE, Problem, document
from api.request_ids import accept_or_make
from leaderboard.boards import Board
from leaderboard.live import metrics
from leaderboard.live.hub import Hub, hub
from leaderboard.live.requests import LiveRequest, anyone
from leaderboard.live.watcher import Watcher
from leaderboard.live.wires import Receive, Scope, Send, wire_of

log = structlog.get_logger(__name__)

METHODS = "GET, OPTIONS"
HEADERS = "Authorization, Cache-Control, Last-Event-ID, X-Request-ID"  # those a page of another origin may send
RETRY_SECONDS = "2"

Headers = dict[str, str]


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application: one viewer from request to disconnect."""
    request = LiveRequest(scope)
    request_id = accept_or_make(request.headers.get("x-request-id"))
    bind_contextvars(request_id=request_id)
    headers = {"X-Request-ID": request_id, **cors(request)}
    if scope["method"] == "OPTIONS" and "access-control-request-method" in request.headers:
        await start(send, 204, {**headers, **preflight()})
        await send({"type": "http.response.body", "body": b""})
        return
    try:
        board, limit = judge(request, hub())
        address = hub().admission.enter(request)
    except Problem as problem:
        await refuse(send, problem, headers, with_body=scope["method"] != "HEAD")
        return
    watcher = Watcher(hub().feeds[board.slug], limit, wire_of(scope, send))
    try:
        await watcher.admit(request)
        await start(send, 200, {**headers, **opening()})
        watcher.open(request.headers.get("last-event-id"))
        del request  # a viewer stays for hours
        while (await receive())["type"] != "http.disconnect":
            pass
    except Problem as problem:
        await refuse(send, problem, headers, with_body=True)
    finally:
        watcher.end()
        hub().admission.leave(address)


def judge(request: LiveRequest, hub: Hub) -> tuple[Board, int]:
    """(board, limit) of a request that may be served. Raises Problem."""
    if request.scope["method"] != "GET":
        said = f"Method {request.scope['method']!r} is not allowed."
        raise Problem("method-not-allowed", said, headers={"Allow": METHODS})
    if not request.origin_allowed:
        raise Problem("forbidden", "Pages of this origin may not open the live board.")
    if hub.closing:
        raise Problem("unavailable", "This server is shutting down.", headers={"Retry-After": RETRY_SECONDS})
    return request.query()


def opening() -> Headers:
    """Nothing between us and the viewer may keep, change or collect the events."""
    return {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache, no-transform",
        "X-Accel-Buffering": "no",
    }


def cors(request: LiveRequest) -> Headers:
    """Whoever may open the board may read it; credentials of another origin are never let in."""
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


async def start(send: Send, status: int, headers: Headers) -> None:
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def refuse(send: Send, problem: Problem, headers: Headers, *, with_body: bool) -> None:
    said = document(problem.kind, problem.sentence, status=problem.status_code, extra=problem.extra)
    metrics.REFUSALS.labels(str(problem.status_code)).inc()
    log.info("live_refused", status=problem.status_code, code=problem.kind, detail=problem.sentence)
    body = json.dumps(said).encode()
    about = {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
    await start(send, problem.status_code, {**headers, **about, **problem.headers})
    await send({"type": "http.response.body", "body": body if with_body else b""})
