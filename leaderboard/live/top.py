"""`GET /api/v1/scoreboard/top`, answered from this process's copy of the board, before Django.

Django answers whatever is not plain: a private board, a copy that is missing, old or SQL's, ranks below the visible
top, parameters that must be judged, a client that has used up its allowance. And it answers the first request of each
kind: its headers, which are Django's and its middlewares' business, are kept and sent again with newer bodies. So the
two answers differ only in what differs from request to request: body, length, ETag and X-Request-ID.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

from rest_framework.exceptions import ValidationError

from api import tracing
from api.query import parse
from api.request_ids import accept_or_make
from leaderboard import boards, snapshots
from leaderboard.live.address_limit import AddressLimit
from leaderboard.live.capacity import address_of
from leaderboard.live.hub import hub
from leaderboard.live.transport import Message, Receive, Scope, Send
from leaderboard.serializers import TRUTH, TopQuery
from leaderboard.snapshots import Snapshot
from leaderboard.views import caching, matches

PATH = b"/api/v1/scoreboard/top"
TRACEPARENT = tracing.TRACEPARENT.encode()
KINDS = 256  # of requests whose headers are kept; one for each origin whose pages ask, mostly
READY = 1024  # answers that are kept ready
LONGEST = 300  # characters of a header that tells kinds apart
# What Django's headers depend on; whatever else a request says does not change the answer of a public board.
TELLING = (b"host", b"origin", b"x-forwarded-proto")
DJANGOS = (b"content-length", b"transfer-encoding", b"cookie")  # a body, a session: Django's to look at
MINE = (b"if-none-match", b"x-request-id", b"x-forwarded-for", TRACEPARENT)
LOOKED_AT = frozenset((*TELLING, *DJANGOS, *MINE))
PUBLIC = caching(public=True)["Cache-Control"].encode()
VARYING = (b"etag", b"content-length")  # and X-Request-ID, which is different in each answer

Kind = tuple[object, ...]
Headers = list[tuple[bytes, bytes]]
Slice = tuple[str, int, int]  # board, limit, offset


@dataclass(frozen=True, slots=True)
class Answer:
    """What one kind of request is told of one slice of one snapshot: everything but X-Request-ID."""

    snapshot: Snapshot
    status: int
    headers: Headers
    body: bytes
    head: bytes  # the headers as HTTP/1.1 has them

    @classmethod
    def of(cls, snapshot: Snapshot, asked: Slice, status: int, django: Headers, etag: str) -> "Answer":
        body = snapshot.body(*asked[1:]) if status == 200 else b""
        values = dict(zip(VARYING, (etag.encode(), b"%d" % len(body)), strict=True))
        headers = [(name, values.get(name, value)) for name, value in django if name != b"x-request-id"]
        return cls(snapshot, status, headers, body, b"".join(b"%b: %b\r\n" % header for header in headers))


class Top:
    """The ASGI application; `django` is the site's own."""

    def __init__(self, django: Any) -> None:
        self.django = django
        self._headers: dict[Kind, Headers] = {}
        self._ready: dict[Kind, Answer] = {}
        self._limit: AddressLimit | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = self.at_once(scope)
        if said is None:
            kind = kind_of(scope, looked_at(scope)) if slice_of(bytes(scope["query_string"])) else None
            await self.django(scope, receive, self._learning(kind, send) if kind else send)
            return
        answer, request_id = said
        headers = [*answer.headers, (b"x-request-id", request_id.encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    def at_once(self, scope: Scope) -> tuple[Answer, str] | None:
        """The answer and its request id, without waiting for anything; None if only Django can answer."""
        asked = slice_of(scope["query_string"])
        headers = looked_at(scope)
        kind = kind_of(scope, headers)
        board = boards.find(asked[0]) if asked and kind else None
        snapshot = snapshots.fresh(board) if board and board.public else None
        if asked is None or kind is None or snapshot is None or headers is None:
            return None
        etag = snapshot.etag
        status = 200
        if (tags := headers.get(b"if-none-match")) and matches(tags.decode("latin-1"), etag):
            status = 304
        answer = self._ready.get((asked, *kind, status))
        if answer is None or answer.snapshot is not snapshot:
            django = self._headers.get((*kind, status))
            if django is None:
                return None
            if len(self._ready) >= READY:
                self._ready.clear()
            answer = self._ready[(asked, *kind, status)] = Answer.of(snapshot, asked, status, django, etag)
        if not self.limit.take(address_of(scope, headers.get(b"x-forwarded-for", b""))):
            return None
        said = headers.get(b"x-request-id")
        request_id = accept_or_make(said.decode("latin-1") if said else None)
        if tracing.is_on():
            trace(scope["method"], headers, status, request_id)
        return answer, request_id

    @property
    def limit(self) -> AddressLimit:
        if self._limit is None:
            self._limit = AddressLimit(hub().ranking.redis)
        return self._limit

    def _learning(self, kind: Kind, send: Send) -> Send:
        async def learn(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                headers = list(message["headers"])
                names = {name for name, _ in headers}
                shared = (b"cache-control", PUBLIC) in headers  # of a board that is not public they would be others
                if shared and b"etag" in names and b"set-cookie" not in names:  # there is no ETag while SQL stands in
                    self._headers[(*kind, message["status"])] = headers
                    if len(self._headers) > KINDS:
                        del self._headers[next(iter(self._headers))]
            await send(message)

        return learn


def trace(method: str, headers: dict[bytes, bytes], status: int, request_id: str) -> None:
    """A span like that of a request to Django, in the caller's trace. It ends at once: nothing was waited for."""
    route, parent = PATH.decode(), headers.get(TRACEPARENT, b"").decode("latin-1")
    with tracing.span(
        f"{method} {route}",
        parent=parent,
        kind="SERVER",
        http__request__method=method,
        http__response__status_code=status,
        http__route=route,
        request_id=request_id,
        source="memory",
    ):
        pass


def looked_at(scope: Scope) -> dict[bytes, bytes] | None:
    """The request's headers that matter here; None if one of them comes twice."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in LOOKED_AT:
            if name in found:
                return None
            found[name] = value
    return found


def kind_of(scope: Scope, headers: dict[bytes, bytes] | None) -> Kind | None:
    """What the answer's headers depend on; None for a request that only Django answers."""
    method = scope["method"]
    if headers is None or method not in ("GET", "HEAD"):
        return None
    if not headers.keys().isdisjoint(DJANGOS):
        return None
    telling = tuple(headers.get(name) for name in TELLING)
    if any(value is not None and len(value) > LONGEST for value in telling):
        return None
    return (method, scope.get("scheme"), *telling)


@lru_cache(maxsize=1024)
def slice_of(query: bytes) -> Slice | None:
    """(board, limit, offset) inside the visible top; None for whatever must be judged."""
    try:
        given = parse_qs(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), max_num_fields=3)
        asked = parse(TopQuery, given)
    except (ValueError, ValidationError):
        return None
    other = asked["period"] is not None or asked["at"] is not None or asked["view"] == TRUTH
    if other or asked["limit"] + asked["offset"] > boards.VISIBLE_TOP:
        return None
    return asked["board"], asked["limit"], asked["offset"]
