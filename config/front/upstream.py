"""The front's connection to one of the servers: one request at a time, kept for its client's next one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from config.front.framing import FramingError
from config.front.heads import HEAD_LIMIT, Request, Response, parse_response

if TYPE_CHECKING:
    from config.front.client import Client


class Upstream(asyncio.Protocol):
    """Carries `client`'s requests to `server` and the answers back."""

    transport: asyncio.Transport
    _request: Request
    _response: Response

    def __init__(self, client: Client, server: str) -> None:
        self.client = client
        self.server = server
        self.used = False  # it has answered a request before
        self.answering = False  # a part of the present answer has gone to the client
        self.blocked = False  # its buffer is full: the client must wait
        self._relay = self._unexpected
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def begin(self, request: Request, body: bytes) -> None:
        """Send `request`, in one piece: a server that answers at the head and closes leaves nothing to write to."""
        self._request, self.answering, self._head = request, False, b""
        self._relay = self._read_head
        self.transport.write(request.whole(body))

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def hold(self, held: bool) -> None:
        """Stop reading while the client does not accept what was read."""
        if not self.transport.is_closing():
            if held:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        try:
            self._relay(data)
        except FramingError:
            self.transport.abort()

    def _unexpected(self, data: bytes) -> None:
        raise FramingError("expected nothing between two requests")

    def _read_head(self, data: bytes) -> None:
        self._head += data
        while (end := self._head.find(b"\r\n\r\n")) >= 0:
            head, rest = self._head[: end + 4], self._head[end + 4 :]
            response = parse_response(head, self._request.method)
            if response.status >= 200 or (response.status == 101 and self._request.upgrade):
                self._begin_answer(response, head, rest)
                return
            self.client.send(head)  # 100 or 103: the answer itself is still to come
            self._head = rest
        if len(self._head) > HEAD_LIMIT:
            raise FramingError(f"expected at most {HEAD_LIMIT} bytes of headers")

    def _begin_answer(self, response: Response, head: bytes, rest: bytes) -> None:
        self._response, self.answering = response, True
        if response.status == 101:
            self._relay = self.client.send
            self.client.send(head + rest)
            self.client.upgraded()
            return
        self._relay = self._read_body
        taken = response.body.feed(rest)
        self.client.send(head + rest[:taken])
        self._end_answer(len(rest) - taken)

    def _read_body(self, data: bytes) -> None:
        taken = self._response.body.feed(data)
        self.client.send(data if taken == len(data) else data[:taken])
        self._end_answer(len(data) - taken)

    def _end_answer(self, left_over: int) -> None:
        if self._response.body.done:
            self.used, self._relay = True, self._unexpected
            self.client.answered(self, keep=self._response.keep_alive and left_over == 0)

    def pause_writing(self) -> None:
        self.blocked = True
        self.client.regulate()

    def resume_writing(self) -> None:
        self.blocked = False
        self.client.regulate()

    def connection_lost(self, exc: Exception | None) -> None:
        self.client.upstream_lost(self)
