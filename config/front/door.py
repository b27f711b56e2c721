"""The front itself: where it listens, which server gets which path, and how it leaves."""

from __future__ import annotations

import asyncio
from pathlib import Path

from config.front.client import Client
from config.front.upstream import Upstream

WEBSOCKET_PATH = b"/scoreboard/live"
STREAM_PATH = b"/api/v1/scoreboard/stream"
LEAVE_SECONDS = 10.0


class Door:
    """`sockets` is the folder with web.sock and live.sock, the servers behind it."""

    live_paths = frozenset({WEBSOCKET_PATH, STREAM_PATH})
    socket_paths = frozenset({WEBSOCKET_PATH})

    def __init__(self, loop: asyncio.AbstractEventLoop, sockets: Path) -> None:
        self.loop = loop
        self.sockets = sockets
        self.clients: set[Client] = set()
        self.closing = False
        self._connecting: set[asyncio.Task[None]] = set()

    def server_for(self, path: bytes) -> str:
        return "live" if path in self.live_paths else "web"

    def connect(self, client: Client, server: str) -> None:
        """Connect `client` to `server` and tell it so, or that it could not be done."""
        task = self.loop.create_task(self._connect(client, server))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, client: Client, server: str) -> None:
        try:
            _, upstream = await self.loop.create_unix_connection(
                lambda: Upstream(client, server), str(self.sockets / f"{server}.sock")
            )
        except OSError:  # no socket, nobody behind it, or its queue is full
            client.not_connected()
        else:
            client.connected(upstream)

    async def serve(self, host: str, port: int, leave: asyncio.Event) -> None:
        """Listen until `leave` is set, then let what is under way end, for at most 10 s."""
        server = await self.loop.create_server(lambda: Client(self), host, port, backlog=4096)
        try:
            while not leave.is_set():
                await self._tick(leave)
        finally:
            self.closing = True
            server.close()
            for client in tuple(self.clients):
                client.retire()
        until = self.loop.time() + LEAVE_SECONDS
        while self.clients and self.loop.time() < until:
            await asyncio.sleep(0.05)
        for client in tuple(self.clients):
            client.transport.abort()

    async def _tick(self, leave: asyncio.Event) -> None:
        """Wait a second, or less when it is time to leave; then cut whoever used up the time allowed."""
        try:
            async with asyncio.timeout(1.0):
                await leave.wait()
        except TimeoutError:
            now = self.loop.time()
            for client in tuple(self.clients):
                client.check(now)
