"""uvicorn's HTTP connections: what is ready goes straight to the socket, and some clients are not put up with.

Ready are a stream's events and the visible top (`top.py`): a task, an ASGI application and its messages would cost more
than the answer. Not put up with are clients that are slow, send too much, or no HTTP at all.
"""

import asyncio
import json
from typing import Any, cast

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.problems import CONTENT_TYPE, document
from api.request_ids import accept_or_make
from leaderboard.live.messages import Packet
from leaderboard.live.protocols import Direct, forget_transport
from leaderboard.live.top import PATH, Top
from leaderboard.live.transport import EXTENSION

HEAD_SECONDS = 15.0  # for a request's head, from its first byte (or from the connection) to its end
HEAD_LIMIT = 32 * 1024  # bytes
BODY_SECONDS = 30.0  # between two pieces of a request's body
LAST_CHUNK = b"0\r\n\r\n"
PATHS = {PATH, settings.SITE_PATH.encode() + PATH}
STALL_SECONDS = 30.0  # without accepting an answer's bytes; viewers are the hub's to judge


class SiteHttp(Direct, HttpToolsProtocol):
    """A connection that gives up on a client that does not finish a request, or takes no bytes of its answer."""

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0
    _answered = False  # at once: there is no cycle for what is left of the request

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.top: Top | None = getattr(self.app, "top", None)

    # --- time ---

    def _allow(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._time_is_up, seconds)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self, seconds: float) -> None:
        if self.flow.read_paused:  # we make the client wait: its earlier requests are not answered yet
            self._allow(seconds)
        else:
            self.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._allow(HEAD_SECONDS)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast(dict[str, Any], self.scope)["extensions"] = {EXTENSION: self}
        self._in_head, self._head_bytes = True, 0
        self._allow(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._answer_at_once():
            return
        self._allow(BODY_SECONDS)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._allow(BODY_SECONDS)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stop_timer()
        if self._answered:
            self._answered = False
        else:
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._stop_timer()
        super().handle_websocket_upgrade()
        self._unwind()  # from here on the transport belongs to the WebSocket

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.drained is None:
            self._stalled = self.loop.call_later(STALL_SECONDS, self.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._stalled is not None:
            self._stalled.cancel()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Half-closed: an answer under way still gets there, but a viewer has simply left."""
        if self.drained is not None or self.cycle is None or self.cycle.more_body or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        return True

    # --- the visible top ---

    def _answer_at_once(self) -> bool:
        """Writes the answer if it is ready, it is this request's turn, and the client takes what it is told."""
        path, _, query = self.url.partition(b"?")
        if path not in PATHS or self.top is None or self.flow.write_paused:
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        parser, scope = self.parser, cast(dict[str, Any], self.scope)
        if parser.get_http_version() != "1.1" or not parser.should_keep_alive() or parser.should_upgrade():
            return False
        scope["method"], scope["query_string"] = parser.get_method().decode("ascii"), query
        said = self.top.at_once(scope)
        if said is None:
            return False
        answer, request_id = said
        common = b"".join(b"%b: %b\r\n" % header for header in self.server_state.default_headers)
        body = answer.body if scope["method"] == "GET" else b""
        self.transport.write(
            b"%b%b%bx-request-id: %b\r\n\r\n%b"
            % (STATUS_LINE[answer.status], common, answer.head, request_id.encode(), body)
        )
        self._answered = True
        self.on_response_complete()
        return True

    # --- a stream of events ---

    def write(self, packet: Packet) -> None:
        if not self.transport.is_closing():
            self.transport.write(packet.chunk)

    def close(self, code: int, reason: str) -> None:
        if not self.transport.is_closing():
            self.transport.write(LAST_CHUNK)
            self.transport.close()
            self._cut_later()

    def _unwind(self) -> None:
        forget_transport(self.scope)
        self.parser = self.flow = self.cycle = None  # type: ignore[assignment]

    # --- what cannot be read ---

    def data_received(self, data: bytes) -> None:
        began_in_head = self._in_head
        super().data_received(data)
        if began_in_head and self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT:
                self._refuse(431, f"Expected at most {HEAD_LIMIT} bytes of headers.")

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "This is not a request of HTTP/1.")

    def _refuse(self, status: int, detail: str) -> None:
        request_id = accept_or_make(None)
        said = {**document("invalid-request", detail, status=status), "request_id": request_id}
        body = json.dumps(said).encode()
        head = (
            f"content-type: {CONTENT_TYPE}\r\ncontent-length: {len(body)}\r\nx-request-id: {request_id}\r\n"
            "cache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()
