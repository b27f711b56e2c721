"""Clients who take too long, with the allowances shortened so that the test need not wait."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from config.front import client as clients
from config.front import door as doors
from config.front.door import Door
from tests.system.live.server import PATIENCE, free_port

ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2**24
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def connected(port: int) -> socket.socket:
    """A client that keeps little of what it does not read, as soon as something listens on `port`."""
    async with asyncio.timeout(PATIENCE):
        while True:
            client = socket.socket()
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            try:
                await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
            except ConnectionRefusedError:
                client.close()
                await asyncio.sleep(0.01)
            else:
                return client


class Server(asyncio.Protocol):
    """Sends `answer` at once and reads whatever comes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self.answer)


@asynccontextmanager
async def door(folder: Path, answer: bytes) -> AsyncIterator[tuple[Door, socket.socket]]:
    """A front in this process, before a server that sends `answer` at once, and a client connected to it."""
    port, leave = free_port(), asyncio.Event()
    loop = asyncio.get_running_loop()
    door = Door(loop, folder)
    web = await loop.create_unix_server(lambda: Server(answer), str(folder / "web.sock"))
    serving = loop.create_task(door.serve("127.0.0.1", port, leave))
    client = await connected(port)
    async with asyncio.timeout(PATIENCE):
        while not door.clients:
            await asyncio.sleep(0.01)
    try:
        yield door, client
    finally:
        client.close()
        leave.set()
        await serving
        web.close()
        await web.wait_closed()


@pytest.mark.parametrize(
    ("allowance", "sent", "answer"),
    [
        ("HEAD_SECONDS", b"", b""),
        ("HEAD_SECONDS", b"GET / HTTP/1.1\r\nHost: a\r\n", b""),
        ("BODY_SECONDS", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345", b""),
        ("IDLE_SECONDS", GET, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
        ("STALL_SECONDS", GET, ENDLESS),
        ("LINGER_SECONDS", b"nonsense\r\n\r\n", b""),
    ],
)
def test_a_client_that_does_not_go_on_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowance: str, sent: bytes, answer: bytes
) -> None:
    monkeypatch.setattr(clients, allowance, 0.1)

    async def until_cut() -> None:
        async with door(tmp_path, answer) as (front, client), asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(client, sent)
            while front.clients:
                await asyncio.sleep(0.01)

    asyncio.run(until_cut())


def test_a_client_that_waits_for_its_answer_is_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for allowance in ("HEAD_SECONDS", "BODY_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(clients, allowance, 0.1)
    monkeypatch.setattr(doors, "LEAVE_SECONDS", 0.1)

    async def still_there() -> None:
        async with door(tmp_path, b"") as (front, client):
            await asyncio.get_running_loop().sock_sendall(client, GET)
            now = front.loop.time()
            while not any(one.phase is clients.Phase.RELAYING for one in front.clients):
                await asyncio.sleep(0.01)
            for one in tuple(front.clients):
                one.check(now + 3600)
            await asyncio.sleep(0)
            assert front.clients

    asyncio.run(still_there())
