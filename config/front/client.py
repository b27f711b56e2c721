"""A client's connection to the front: its requests are read one by one and sent where each belongs."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING, cast

from config.front.framing import FramingError, Sized
from config.front.heads import HEAD_LIMIT, BadHead, Request, parse_request
from config.front.problems import Problem
from config.front.upstream import Upstream

if TYPE_CHECKING:
    from config.front.door import Door

# Seconds.
HEAD_SECONDS = 30.0  # a request's head, from its first byte (or from the connection) to its end
BODY_SECONDS = 30.0  # between two pieces of a request's body
MAX_BODY = 256 * 1024  # bytes on the wire; the largest that a call takes, and what nginx is told
IDLE_SECONDS = 75.0  # between two requests
STALL_SECONDS = 30.0  # without accepting a byte while we have some
LINGER_SECONDS = 2.0  # for the client to read a refusal before the connection is cut

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_AHEAD_LIMIT = 64 * 1024  # bytes kept of requests that were sent before their turn


class Phase(Enum):
    HEAD = auto()  # waiting for the rest of a request's head
    BODY = auto()  # waiting for the rest of its body
    CONNECTING = auto()  # to the server it is for
    RELAYING = auto()  # the answer down
    TUNNEL = auto()  # a WebSocket: bytes both ways
    LINGERING = auto()  # our side is closed; what still comes is not read


class Client(asyncio.Protocol):
    """`request` and `upstream` are those of the present exchange; upstreams of former ones are kept."""

    transport: asyncio.Transport

    def __init__(self, door: Door) -> None:
        self.door = door
        self.phase = Phase.HEAD
        self.request: Request | None = None
        self.upstream: Upstream | None = None
        self._kept: dict[str, Upstream] = {}
        self._buffer = bytearray()
        self._body = bytearray()
        self._peer = b"127.0.0.1"
        self._reading = True
        self._last = False  # no request is read after the present one
        self._deadline = float("inf")
        self._stalled = float("inf")

    # --- the transport's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if peer:
            self._peer = str(peer[0]).partition("%")[0].encode()
        self._allow(HEAD_SECONDS)
        self.door.clients.add(self)

    def data_received(self, data: bytes) -> None:
        if self.phase is Phase.TUNNEL and self.upstream is not None:
            self.upstream.write(data)
        elif self.phase is not Phase.LINGERING:
            if self.phase is Phase.HEAD and not self._buffer:
                self._allow(HEAD_SECONDS)
            self._buffer += data
            self._advance()

    def eof_received(self) -> bool:
        """Half-closed: an answer under way still gets there, but a viewer has simply left."""
        request = self.request
        if self.phase is Phase.TUNNEL or request is None or not request.body.done:
            return False
        self._last = True
        return request.path not in self.door.live_paths

    def connection_lost(self, exc: Exception | None) -> None:
        self.door.clients.discard(self)
        for upstream in (self.upstream, *self._kept.values()):
            if upstream is not None:
                upstream.transport.abort()
        self.upstream = None
        self._kept.clear()

    def pause_writing(self) -> None:
        self._stalled = self.door.loop.time() + STALL_SECONDS
        if self.upstream is not None:
            self.upstream.hold(True)

    def resume_writing(self) -> None:
        self._stalled = float("inf")
        if self.upstream is not None:
            self.upstream.hold(False)
        self._advance()

    # --- requests ---

    def _advance(self) -> None:
        """Go on with what has arrived: a head, then its body; what comes after that waits for its turn.

        A client that does not read its answers gets no further ones. No server hears of a request before it is all
        there: each of its threads would wait for whoever sends a byte now and then.
        """
        if self.phase is Phase.HEAD and self._buffer and self._stalled == float("inf"):
            self._read_head()
        if self.phase is Phase.BODY:
            self._read_body()
        self.regulate()

    def _read_head(self) -> None:
        while self._buffer.startswith(b"\r\n"):  # RFC 9112 section 2.2
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n", 0, HEAD_LIMIT)
        if end < 0:
            if len(self._buffer) >= HEAD_LIMIT:
                self._refuse(Problem.HEAD_TOO_LARGE, f"Expected at most {HEAD_LIMIT} bytes of headers.")
            return
        head = bytes(self._buffer[: end + 4])
        del self._buffer[: end + 4]
        try:
            request = parse_request(head, self._peer, may_upgrade=self.door.socket_paths)
        except BadHead as error:
            self._refuse(Problem.INVALID_REQUEST, f"{error}.")
            return
        self._last = self._last or not request.keep_alive
        self.request, self.phase = request, Phase.BODY
        self._allow(BODY_SECONDS)
        if request.expects_continue and not self._buffer and not request.body.done:
            self.transport.write(_CONTINUE)

    def _read_body(self) -> None:
        if self.request is None:
            return
        body, data = self.request.body, bytes(self._buffer)
        too_large = isinstance(body, Sized) and body.left + len(self._body) > MAX_BODY
        try:
            taken = body.feed(data)
        except FramingError as error:
            self._refuse(Problem.INVALID_REQUEST, f"{str(error).capitalize()}.")
            return
        del self._buffer[:taken]
        self._body += data[:taken]
        if too_large or len(self._body) > MAX_BODY:
            self._refuse(Problem.BODY_TOO_LARGE, f"The body may have at most {MAX_BODY} bytes.")
        elif body.done:
            self._deadline = float("inf")
            self._dispatch(self.request)
        elif taken:
            self._allow(BODY_SECONDS)

    def _dispatch(self, request: Request) -> None:
        server = self.door.server_for(request.path)
        kept = self._kept.pop(server, None)
        if kept is not None:
            self._begin(kept, request)
        else:
            self.phase = Phase.CONNECTING
            self.door.connect(self, server)

    def connected(self, upstream: Upstream) -> None:
        if self.request is None or self.transport.is_closing():
            upstream.transport.abort()
        else:
            self._begin(upstream, self.request)
            self._advance()

    def not_connected(self) -> None:
        if not self.transport.is_closing():
            self._refuse(Problem.UNAVAILABLE, "This part of the site is not up; try again in a moment.")

    def _begin(self, upstream: Upstream, request: Request) -> None:
        self.upstream, self.phase = upstream, Phase.RELAYING
        upstream.begin(request, bytes(self._body))
        self._body.clear()

    # --- answers ---

    def send(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def upgraded(self) -> None:
        self.phase = Phase.TUNNEL
        if self._buffer and self.upstream is not None:
            self.upstream.write(bytes(self._buffer))
            self._buffer.clear()
        self.regulate()

    def answered(self, upstream: Upstream, *, keep: bool) -> None:
        """The answer is complete: go on to the next request, or end the connection."""
        self.upstream = self.request = None
        if keep:
            upstream.hold(False)
            self._kept[upstream.server] = upstream
        else:
            upstream.transport.close()
        if self._last or not keep or self.door.closing:
            self._finish()
        else:
            self.phase = Phase.HEAD
            self._allow(IDLE_SECONDS)
            self._advance()

    def upstream_lost(self, upstream: Upstream) -> None:
        if self._kept.get(upstream.server) is upstream:
            del self._kept[upstream.server]
        if upstream is not self.upstream or self.request is None:
            return
        self.upstream = None
        if upstream.answering:  # that was the answer's end, or a client can tell by its framing that it was not
            self._finish()
        elif upstream.used and self.request.repeatable:
            # It closed a kept connection while this request was on its way: nobody has seen it.
            self._dispatch(self.request)
        else:
            self._refuse(Problem.BAD_GATEWAY, "The server ended before it had answered.")

    def _refuse(self, problem: Problem, detail: str) -> None:
        if self.upstream is not None:
            lost, self.upstream = self.upstream, None
            lost.transport.abort()
            if lost.answering:  # half an answer is out; a refusal behind it would be taken for its rest
                self._finish()
                return
        with_body = self.request is None or self.request.method != b"HEAD"
        self.transport.write(problem.response(detail, with_body=with_body))
        self._linger()

    def _linger(self) -> None:
        """Close our side only: a reset in the client's face could destroy the answer it has not read yet."""
        self.phase, self.request = Phase.LINGERING, None
        self._buffer.clear()
        self._body.clear()
        self._allow(LINGER_SECONDS)
        self.transport.write_eof()
        self.regulate()

    def _finish(self) -> None:
        self._allow(STALL_SECONDS)
        self.transport.close()

    # --- pace and time ---

    def regulate(self) -> None:
        """Read from the client only what can be passed on."""
        wanted = not (
            self.phase is Phase.CONNECTING
            or (self.upstream is not None and self.upstream.blocked)
            or (len(self._buffer) > _AHEAD_LIMIT)
        )
        if wanted != self._reading and not self.transport.is_closing():
            self._reading = wanted
            if wanted:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    def _allow(self, seconds: float) -> None:
        self._deadline = self.door.loop.time() + seconds

    def check(self, now: float) -> None:
        """Cut the connection if its time is up; called every second."""
        if now > self._deadline or now > self._stalled:
            self.transport.abort()

    def retire(self) -> None:
        """The front is leaving: end now if nothing is under way, else after the present answer."""
        self._last = True
        if self.phase is Phase.HEAD:
            self._finish()
