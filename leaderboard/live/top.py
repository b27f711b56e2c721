"""`GET /api/v1/scoreboard/top`, answered from this process's copy of the board, before Django.

Django answers whatever is not plain: a private board, a copy that is missing, old or SQL's, ranks below the visible
top, parameters that must be judged, a client that has used up its allowance. And it answers the first request of each
kind: its headers, which are Django's and its middlewares' business, are kept and sent again with newer bodies. So the
two answers differ only in what differs from request to request: body, length, ETag and X-Request-ID.
"""

from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from rest_framework.exceptions import ValidationError

from api.query import parse
from api.request_ids import accept_or_make
from leaderboard import boards, snapshots
from leaderboard.boards import Board
from leaderboard.live.address_limit import AddressLimit
from leaderboard.live.capacity import client_address
from leaderboard.live.hub import hub
from leaderboard.live.requests import LiveRequest
from leaderboard.live.transport import Message, Receive, Scope, Send
from leaderboard.serializers import TopQuery
from leaderboard.views import matches

KINDS = 256  # of requests whose headers are kept; one for each origin whose pages ask, mostly
LONGEST = 300  # characters of a header that tells kinds apart
# What Django's headers depend on; whatever else a request says does not change the answer of a public board.
TELLING = ("host", "origin", "x-forwarded-proto")
DJANGOS = ("content-length", "transfer-encoding", "cookie")  # a body, a session: Django's to look at
VARYING = (b"etag", b"content-length", b"x-request-id")

Kind = tuple[object, ...]
Headers = list[tuple[bytes, bytes]]


class Top:
    """The ASGI application; `django` is the site's own."""

    def __init__(self, django: Any) -> None:
        self.django = django
        self._headers: dict[Kind, Headers] = {}
        self._limit: AddressLimit | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = LiveRequest(scope)
        asked = slice_of(bytes(scope["query_string"]))
        kind = kind_of(request)
        snapshot = snapshots.fresh(asked[0]) if asked and kind else None
        if asked is None or kind is None or snapshot is None:
            await self.django(scope, receive, send)
            return
        etag = f'"{snapshot.page.epoch}:{snapshot.page.seq}"'
        status = 304 if matches(request.headers.get("if-none-match", ""), etag) else 200
        headers = self._headers.get((*kind, status))
        if headers is None or not self.limit.take(client_address(request)):
            await self.django(scope, receive, self._learning(kind, send))
            return
        body = snapshot.body(*asked[1:]) if status == 200 else b""
        request_id = accept_or_make(request.headers.get("x-request-id"))
        values = dict(zip(VARYING, (etag.encode(), b"%d" % len(body), request_id.encode()), strict=True))
        told = [(name, values.get(name, value)) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": told})
        await send({"type": "http.response.body", "body": body})

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
                if b"etag" in names and b"set-cookie" not in names:  # there is no ETag while SQL stands in
                    self._headers[(*kind, message["status"])] = headers
                    if len(self._headers) > KINDS:
                        del self._headers[next(iter(self._headers))]
            await send(message)

        return learn


def kind_of(request: LiveRequest) -> Kind | None:
    """What the answer's headers depend on; None for a request that only Django answers."""
    method, headers = request.scope["method"], request.headers
    if method not in ("GET", "HEAD") or not settings.LEADERBOARD_PUBLIC:
        return None
    if len(headers) != len(request.scope["headers"]) or not headers.keys().isdisjoint(DJANGOS):
        return None
    telling = tuple(headers.get(name) for name in TELLING)
    if any(len(value or "") > LONGEST for value in telling):
        return None
    return (method, request.scope.get("scheme"), *telling)


@lru_cache(maxsize=1024)
def slice_of(query: bytes) -> tuple[Board, int, int] | None:
    """(board, limit, offset) inside the visible top; None for whatever must be judged."""
    try:
        given = parse_qs(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), max_num_fields=3)
        asked = parse(TopQuery, given)
    except (ValueError, ValidationError):
        return None
    board = boards.BOARDS.get(asked["board"])
    if board is None or asked["limit"] + asked["offset"] > boards.VISIBLE_TOP:
        return None
    return board, asked["limit"], asked["offset"]
