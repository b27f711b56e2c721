"""Viewers, as a browser would be one."""

import base64
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from typing import Any

from rest_framework_simplejwt.tokens import AccessToken
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.support.processes import PATIENCE, eventually
from tests.system.live.server import Server
from tests.system.live.writing import user_id

Message = dict[str, Any]
ALICE = str(user_id("alice"))


class Watching:
    """What both transports' viewers can do: wait for a message of some type."""

    def next(self, seconds: float = PATIENCE) -> Message:
        raise NotImplementedError

    def until(self, kind: str, seconds: float = PATIENCE, **members: Any) -> Message:
        """The next message of this type with these members; what comes before it is dropped."""
        deadline = time.monotonic() + seconds
        while True:
            message = self.next(max(deadline - time.monotonic(), 0.001))
            if message["type"] == kind and members.items() <= message.items():
                return message

    def opening(self) -> tuple[Message, Message]:
        """The greeting, and the first snapshot after it."""
        hello = self.next()
        assert hello["type"] == "connection_success"
        return hello, self.until("leaderboard_update")

    def scores(self, expected: dict[str, int], seconds: float = PATIENCE) -> Message:
        """The first snapshot that shows exactly these scores by name."""
        while True:
            message = self.until("leaderboard_update", seconds)
            if {row["username"]: row["score"] for row in message["top"]} == expected:
                return message


class Socket(Watching):
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def next(self, seconds: float = PATIENCE) -> Message:
        message: Message = json.loads(self.connection.recv(seconds))
        return message

    def say(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def send(self, raw: str | bytes) -> None:
        self.connection.send(raw)

    def ending(self, seconds: float = PATIENCE) -> tuple[list[Message], int | None]:
        """(every message until the end, the close code)."""
        messages: list[Message] = []
        deadline = time.monotonic() + seconds
        try:
            while True:
                messages.append(self.next(max(deadline - time.monotonic(), 0.001)))
        except ConnectionClosed as closed:
            return messages, closed.rcvd.code if closed.rcvd else None


@contextmanager
def viewer(
    server: Server,
    query: str = "",
    *,
    origin: str | None = None,
    protocols: tuple[str, ...] = (),
    headers: dict[str, str] | None = None,
) -> Iterator[Socket]:
    with connect(
        server.websocket(query),
        origin=Origin(origin) if origin else None,
        subprotocols=[Subprotocol(protocol) for protocol in protocols] or None,
        additional_headers=headers,
        compression=None,
        proxy=None,
        open_timeout=PATIENCE,
        ping_interval=None,  # the library's own, which would end what a test has not read for a while
        close_timeout=1,  # one that has stopped reading does not see the server's goodbye either
    ) as connection:
        yield Socket(connection)


class Response:
    """The head of an HTTP answer, read from a socket as it comes."""

    def __init__(self, connection: socket.socket) -> None:
        self.file = connection.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers: dict[str, str] = {}
        while (line := self.file.readline().rstrip(b"\r\n")) != b"":
            name, _, value = line.decode("latin-1").partition(": ")
            self.headers[name.lower()] = value

    def chunks(self) -> Iterator[bytes]:
        while size := int(self.file.readline(), 16):
            yield self.file.read(size)
            self.file.readline()
        self.file.readline()

    def body(self) -> bytes:
        if self.status == 204:
            return b""
        if "content-length" in self.headers:
            return self.file.read(int(self.headers["content-length"]))
        return b"".join(self.chunks())


class Events(Watching):
    """An SSE viewer. `comments` and `retries` are what EventSource keeps to itself; `id` is its Last-Event-ID."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.response = Response(connection)
        self.comments: list[str] = []
        self.retries: list[int] = []
        self.id: str | None = None
        self.ended = False
        self._events = self._read()

    def _read(self) -> Iterator[Message]:
        pending = ""
        for chunk in self.response.chunks():
            pending += chunk.decode()
            *blocks, pending = pending.split("\n\n")
            for block in blocks:
                if (message := self._event(block)) is not None:
                    yield message
        self.ended = True

    def _event(self, block: str) -> Message | None:
        event: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if not name:
                self.comments.append(value.strip())
            else:
                event[name] = value.removeprefix(" ")
        if "retry" in event:
            self.retries.append(int(event["retry"]))
        self.id = event.get("id", self.id)
        if "data" not in event:
            return None
        message: Message = json.loads(event["data"])
        assert event["event"] == message["type"]
        return message

    def next(self, seconds: float = PATIENCE) -> Message:
        self.connection.settimeout(seconds)
        return next(self._events)

    def close(self) -> None:
        self.response.file.close()

    def rest(self) -> list[Message]:
        """Every message until the server ends the stream."""
        messages: list[Message] = []
        deadline = time.monotonic() + PATIENCE
        with suppress(StopIteration):
            while True:
                messages.append(self.next(max(deadline - time.monotonic(), 0.001)))
        return messages


def request(server: Server, query: str = "", method: str = "GET", **headers: str) -> socket.socket:
    """Sends one request for the stream; header names with underscores for dashes."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    lines = [f"{method} /api/v1/scoreboard/stream{query} HTTP/1.1"]
    lines += [f"{n.replace('_', '-')}: {v}" for n, v in {"Host": f"127.0.0.1:{server.port}", **headers}.items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


@contextmanager
def watcher(server: Server, query: str = "", **headers: str) -> Iterator[Events]:
    with request(server, query, **headers) as connection, closing(Events(connection)) as events:
        yield events


def answer(server: Server, query: str = "", method: str = "GET", **headers: str) -> tuple[Response, Any]:
    """(head, JSON body) of a request that is not answered with a stream."""
    with request(server, query, method, **headers) as connection:
        response = Response(connection)
        body = b"" if method == "HEAD" else response.body()
        response.file.close()
        return response, json.loads(body) if body else None


def token_of(subject: str = ALICE, lifetime: float = 600.0) -> str:
    """Of a player of whom the database need not know."""
    made = AccessToken()
    made.set_exp(lifetime=timedelta(seconds=lifetime))
    made["sub"], made["sid"] = subject, str(uuid.UUID(int=1))
    return str(made)


def authorization(raw: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {raw}"}


class Stalled:
    """A connection with a small receive window that is read only when a test says so."""

    def __init__(self, server: Server, transport: str) -> None:
        self.connection = socket.socket()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.connection.settimeout(PATIENCE)
        self.connection.connect(("127.0.0.1", server.port))
        head = [f"Host: 127.0.0.1:{server.port}"]
        if transport == "websocket":
            key = base64.b64encode(os.urandom(16)).decode()
            head += ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}"]
            head += ["Sec-WebSocket-Version: 13"]
            path = "/scoreboard/live?limit=100"
        else:
            path = "/api/v1/scoreboard/stream?limit=100"
        self.connection.sendall("\r\n".join([f"GET {path} HTTP/1.1", *head, "", ""]).encode())

    def rest(self) -> bytes:
        """Everything that still comes, until the connection ends in whatever way."""
        parts = []
        try:
            while data := self.connection.recv(65536):
                parts.append(data)
        except ConnectionResetError:
            pass
        return b"".join(parts)

    def close(self) -> None:
        self.connection.close()


@contextmanager
def stalled(server: Server, transport: str, count: int = 1) -> Iterator[list[Stalled]]:
    """So many viewers who do not read."""
    before = server.viewers()
    connections = [Stalled(server, transport) for _ in range(count)]
    try:
        eventually(lambda: server.viewers() == before + count, "they are viewers")
        yield connections
    finally:
        for connection in connections:
            connection.close()
