"""A viewer's way out. The hub writes to thousands of them in a row, so writing never waits.

Under `config.live` the server's own protocol objects are the wires (`config/protocols.py`): a broadcast is one write of
ready-made bytes each. Under any other ASGI server, such as `manage.py runserver`, `AsgiWire` does it with a task.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from leaderboard.live.packets import Packet

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

EXTENSION = "scoreboard.wire"  # under this name in the scope's extensions


class Listener(Protocol):
    """Who is told about a wire's state: its viewer."""

    def wire_blocked(self) -> None: ...

    def wire_cleared(self) -> None: ...

    def wire_lost(self) -> None: ...


class Wire(Protocol):
    """`blocked`: bytes are waiting for the network. Nothing is written then; the listener hears when it is over."""

    listener: Listener | None
    blocked: bool

    def attach(self, listener: Listener) -> None:
        """From now on this is a viewer's wire."""

    def detach(self) -> None:
        """The viewer is gone; whatever it never accepted must not keep the connection."""

    def write(self, packet: Packet) -> None: ...

    def waiting(self) -> int:
        """Bytes that the network has not accepted yet."""

    def close(self, code: int, reason: str) -> None:
        """Ends the connection in order, after what was written."""

    def abort(self) -> None:
        """Ends it now; what was not accepted is thrown away."""


class AsgiWire:
    """A wire over plain ASGI `send`, which may wait: one task for each viewer, one packet in flight.

    ASGI has no way to cut a connection that accepts nothing, so `abort` can only stop sending.
    """

    def __init__(self, send: Send, transport: str) -> None:
        self.listener: Listener | None = None
        self.blocked = False
        self._send = send
        self._websocket = transport == "websocket"
        self._last: asyncio.Task[None] | None = None

    def attach(self, listener: Listener) -> None:
        self.listener = listener

    def detach(self) -> None:
        self.listener = None

    def write(self, packet: Packet) -> None:
        self._run(self._message(packet))

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

    def _message(self, packet: Packet) -> Message:
        if self._websocket:
            return {"type": "websocket.send", "text": packet.text}
        return {"type": "http.response.body", "body": packet.event, "more_body": True}

    def _run(self, message: Message) -> None:
        before = self._last
        self.blocked = True
        if self.listener:
            self.listener.wire_blocked()
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
        self.blocked = False
        if self.listener:
            if failed:
                self.listener.wire_lost()
            else:
                self.listener.wire_cleared()


def wire_of(scope: Scope, send: Send) -> Wire:
    """The server's own wire if it offers one."""
    offered: Wire | None = (scope.get("extensions") or {}).get(EXTENSION)
    return offered if offered is not None else AsgiWire(send, scope["type"])
