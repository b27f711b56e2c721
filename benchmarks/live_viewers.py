"""Thousands of viewers on one event loop. They do as little as they can: the server is what is measured."""

import asyncio
import time
from collections import defaultdict
from typing import cast

REQUEST = (
    b"GET /scoreboard/live?limit=10&board=%b HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nAccept-Language: en,de;q=0.5\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0\r\n"
    b"Origin: https://elsewhere.example\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nCache-Control: no-cache\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)
CONNECTING = 100  # at a time


class Viewer(asyncio.Protocol):
    """Notes when each snapshot came."""

    def __init__(self, crowd: "Viewers", board: str) -> None:
        self.crowd = crowd
        self.board = board
        self.buffer = b""
        self.open = asyncio.get_running_loop().create_future()
        self.seq = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(REQUEST % self.board.encode())

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
        if not self.open.done():
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self.buffer = head
                return
            self.open.set_result(head)
        start, end = 0, len(data)
        while end - start >= 4:
            length, body = data[start + 1], start + 2
            if length == 126:
                length, body = int.from_bytes(data[start + 2 : start + 4], "big"), start + 4
            if end < body + length:
                break
            if data.startswith(b'{"type":"leaderboard_update"', body):
                self.snapshot(data, body)
            start = body + length
        self.buffer = data[start:]

    def snapshot(self, data: bytes, body: int) -> None:
        at = data.index(b'"seq":', body) + 6
        self.seq = int(data[at : data.index(b",", at)])
        self.crowd.arrivals[self.seq].append(time.monotonic())
        if self.seq not in self.crowd.leaders and (at := data.find(b'"score":', body)) >= 0:
            self.crowd.leaders[self.seq] = int(data[at + 8 : data.index(b",", at)])

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.viewers.discard(self)
        if not self.open.done():
            self.open.set_exception(exc or ConnectionError("closed"))


class Viewers:
    """By seq: `arrivals`, when each viewer had it; `leaders`, the first one's score."""

    def __init__(self) -> None:
        self.viewers: set[Viewer] = set()
        self.arrivals: dict[int, list[float]] = defaultdict(list)
        self.leaders: dict[int, int] = {}

    async def come(self, port: int, count: int, board: str = "global") -> None:
        loop = asyncio.get_running_loop()
        for start in range(0, count, CONNECTING):
            made = [Viewer(self, board) for _ in range(min(CONNECTING, count - start))]
            await asyncio.gather(*(loop.create_connection(lambda v=v: v, "127.0.0.1", port) for v in made))  # type: ignore[misc]
            await asyncio.gather(*(viewer.open for viewer in made))
            self.viewers.update(made)

    async def until_all_have(self, seq: int, seconds: float = 10.0) -> float:
        """Seconds until the last one had it."""
        began = time.monotonic()
        while any(viewer.seq < seq for viewer in self.viewers):
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"{sum(v.seq < seq for v in self.viewers)} viewers did not get {seq}")
            await asyncio.sleep(0.005)
        return time.monotonic() - began

    async def go(self) -> None:
        for viewer in tuple(self.viewers):
            viewer.transport.abort()
        while self.viewers:
            await asyncio.sleep(0.01)
