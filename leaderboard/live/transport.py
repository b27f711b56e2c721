"""A viewer's way out. The hub writes to thousands of them in a row, so writing never waits.

Under `config.live` the server's own protocol objects are the transports (`protocols.py`): a broadcast is one write of
ready-made bytes each. Under any other ASGI server, such as `manage.py runserver`, `AsgiTransport` does it with a task.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from leaderboard.live.messages import Packet

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Drained = Callable[[], None]

EXTENSION = "scoreboard.transport"  # under this name in the scope's extensions


class Transport(Protocol):
    """`blocked`: bytes are waiting for the network. Nothing is written then; `drained` is called when it is over."""

    blocked: bool

    def attach(self, drained: Drained) -> None:
        """From now on this is a viewer's transport."""

    def detach(self) -> None:
        """The viewer is gone; whatever it never accepted must not keep the connection."""

    def write(self, packet: Packet) -> None: ...

    def waiting(self) -> int:
        """Bytes that the network has not accepted yet."""

    def close(self, code: int, reason: str) -> None:
        """Ends the connection in order, after what was written."""

    def abort(self) -> None:
        """Ends it now; what was not accepted is thrown away."""


class AsgiTransport:
    """A transport over plain ASGI `send`, which may wait: one task for each viewer, one packet in flight.

    ASGI has no way to cut a connection that accepts nothing, so `abort` can only stop sending.
    """

    def __init__(self, send: Send, kind: str) -> None:
        self.blocked = False
        self._send = send
        self._websocket = kind == "websocket"
        self._drained: Drained | None = None
        self._last: asyncio.Task[None] | None = None

    def attach(self, drained: Drained) -> None:
        self._drained = drained

    def detach(self) -> None:
        self._drained = None

    def write(self, packet: Packet) -> None:
        if self._websocket:
            self._run({"type": "websocket.send", "text": packet.text})
        else:
            self._run({"type": "http.response.body", "body": packet.event, "more_body": True})

    def waiting(self) -> int:
        return int(self.blocked)

    def close(self, code: int, reason: str) -> None:
        if self._websocket:
            self._run({"type": "websocket.close", "code": code, "reason": reason})
        else:
            self._run({"type": "http.response.body", "body": b"", "more_body": False})

    def abort(self) -> None:
        if self._last is not None:
            self._last.cancel()

    def _run(self, message: Message) -> None:
        before = self._last
        self.blocked = True
        self._last = asyncio.get_running_loop().create_task(self._deliver(message, before))
        self._last.add_done_callback(self._delivered)

    async def _deliver(self, message: Message, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        await self._send(message)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        failed = task.cancelled() or task.exception() is not None
        if task is not self._last:
            return
        self._last = None
        if failed:
            return  # the connection is gone, as `receive` is about to say: nothing more can be written
        self.blocked = False
        if self._drained is not None:
            self._drained()


def transport_of(scope: Scope, send: Send) -> Transport:
    """The server's own transport if it offers one."""
    offered: Transport | None = (scope.get("extensions") or {}).get(EXTENSION)
    return offered if offered is not None else AsgiTransport(send, scope["type"])
