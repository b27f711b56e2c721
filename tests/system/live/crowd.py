"""Many WebSocket viewers in one process: an asyncio loop of their own, a few lines each."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.processes import PATIENCE
from tests.system.live.clients import Message
from tests.system.live.server import Server

CONNECTING = 50  # at a time


class Member:
    """`seen`: the (epoch, seq) of each snapshot; `kinds`: the types of all messages; `code`: how it ended, if so."""

    def __init__(self) -> None:
        self.connection: ClientConnection | None = None
        self.seen: list[tuple[str, int]] = []
        self.kinds: list[str] = []
        self.retry: int | None = None
        self.code: int | None = None
        self.ended = False
        self.last: Message = {}
        self._reading: asyncio.Task[None] | None = None

    async def come(self, server: Server, query: str = "", token: str | None = None) -> None:
        self.ended, self.code = False, None
        protocols = [Subprotocol("bearer"), Subprotocol(token)] if token else None
        self.connection = await connect(
            server.websocket(query), subprotocols=protocols, compression=None, proxy=None, open_timeout=PATIENCE
        )
        self._reading = asyncio.create_task(self._read(self.connection))

    async def _read(self, connection: ClientConnection) -> None:
        try:
            while True:
                self._heard(json.loads(await connection.recv()))
        except ConnectionClosed as closed:
            self.code = closed.rcvd.code if closed.rcvd else None
            self.ended = True

    def _heard(self, message: Message) -> None:
        self.kinds.append(message["type"])
        if message["type"] == "leaderboard_update":
            self.seen.append((message["epoch"], message["seq"]))
            self.last = message
        elif message["type"] == "bye":
            self.retry = message["retry_ms"]

    async def go(self) -> None:
        if self.connection is not None:
            await self.connection.close()
        if self._reading is not None:
            await self._reading


class Crowd:
    def __init__(self, members: int) -> None:
        self.members = [Member() for _ in range(members)]

    async def come(self, *servers: Server, query: str = "", token: Callable[[int], str] | None = None) -> None:
        """All of them connect, spread over the servers."""
        door = asyncio.Semaphore(CONNECTING)

        async def one(number: int, member: Member) -> None:
            async with door:
                who = token(number) if token else None
                await member.come(servers[number % len(servers)], query, who)

        await asyncio.gather(*(one(number, member) for number, member in enumerate(self.members)))

    async def go(self) -> None:
        await asyncio.gather(*(member.go() for member in self.members))

    async def until(self, condition: Callable[[Member], Any], what: str, seconds: float = PATIENCE) -> None:
        """The condition holds for every member."""
        deadline = asyncio.get_running_loop().time() + seconds
        while missing := sum(not condition(member) for member in self.members):
            assert asyncio.get_running_loop().time() < deadline, f"not within {seconds:.0f} s for {missing}: {what}"
            await asyncio.sleep(0.02)

    async def until_all_have(self, epoch: str | None, seq: int | None) -> None:
        await self.until(lambda member: member.seen and member.seen[-1] == (epoch, seq), f"has {epoch}:{seq}")


def together(crowd: Crowd, work: Callable[[], Awaitable[None]]) -> None:
    """Runs the work; whatever comes of it, everybody has left at its end."""

    async def run() -> None:
        try:
            await work()
        finally:
            await crowd.go()

    asyncio.run(run())
