"""uvicorn's connections as viewers' transports: ready-made bytes go straight to the socket.

ASGI's `send` would frame every message again for every viewer, waits where it should tell, and cannot cut a connection.
These subclasses use uvicorn's protocol objects beyond its documented interface; tests/system/live shows if it changes.
"""

import asyncio
import socket
import struct
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from leaderboard.live import messages, refusals
from leaderboard.live.messages import Packet
from leaderboard.live.transport import EXTENSION, Drained

MAX_PIECES = 64  # of one fragmented message: empty pieces cost the sender six bytes each and us a list's slot
SEND_BUFFER = 64 * 1024  # bytes in the kernel: what a viewer that stops reading can hold of our memory
CLOSE_SECONDS = 10.0  # for a viewer to take what was written before the end, and to answer a close frame
LINGER_SECONDS = 1.0  # for the rest of a message that was refused to arrive
BAD_HANDSHAKE = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Direct(asyncio.Protocol):
    """What both kinds of connection share. The transport pauses us as soon as one byte has to wait."""

    transport: asyncio.Transport
    drained: Drained | None = None
    blocked = False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.blocked = False
        self.drained = None
        self._unwind()

    def detach(self) -> None:
        self.drained = None
        if self.blocked:
            self._cut_later()

    def _cut_later(self) -> None:
        """Closing waits for the buffer to empty, which a viewer that reads nothing can put off for ever."""
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.abort)

    def _unwind(self) -> None:
        """Takes apart what refers to itself: a visit's memory is then free at once, without the garbage collector.

        Collecting would stop every viewer of the process for as long as it takes to look at all of them.
        """

    def pause_writing(self) -> None:
        super().pause_writing()
        self.blocked = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self.blocked = False
        if self.drained is not None:
            self.drained()

    def waiting(self) -> int:
        return self.transport.get_write_buffer_size()

    def abort(self) -> None:
        """With a reset: the kernel, too, would otherwise keep what the viewer does not read, and go on offering it."""
        if self.blocked or not self.transport.is_closing():  # else the descriptor may be another connection's by now
            self._set_option(socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _set_option(self, option: int, value: int | bytes) -> None:
        peer = self.transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, option, value)

    def attach(self, drained: Drained) -> None:
        self.drained = drained
        self.transport.set_write_buffer_limits(high=0)
        self._set_option(socket.SO_SNDBUF, SEND_BUFFER)


def forget_transport(scope: Any) -> None:
    if scope:
        scope.get("extensions", {}).pop(EXTENSION, None)


class LiveWebSocket(Direct, WebSocketsSansIOProtocol):
    refused = False  # a message was too big; whatever still comes is thrown away unread

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            cast(dict[str, Any], self.scope["extensions"])[EXTENSION] = self

    def attach(self, drained: Drained) -> None:
        super().attach(drained)
        # The handshake is over; a viewer stays for hours.
        cast(list[Any], self.scope["headers"]).clear()
        vars(self).pop("request", None)
        vars(self).pop("response", None)

    def _unwind(self) -> None:
        if self.handshake_initiated:
            forget_transport(vars(self).get("scope"))
        self.conn.parser.close()

    def write(self, packet: Packet) -> None:
        if not (self.close_sent or self.transport.is_closing()):
            self.transport.write(packet.frame)

    def close(self, code: int, reason: str) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.abort)

    def handle_ping(self) -> None:
        if self.blocked:
            self.conn.data_to_send()  # no pongs for one who does not read: they would pile up here
        else:
            super().handle_ping()

    def handle_cont(self, event: Frame) -> None:
        if self.refused:
            return
        if len(self.frames) >= MAX_PIECES:
            self._refuse_size()
        else:
            super().handle_cont(event)

    def handle_parser_exception(self) -> None:
        if self.conn.close_sent is not None and self.conn.close_sent.code == 1009:
            self.conn.data_to_send()  # the library's own close frame; ours says what the protocol promises
            self._refuse_size()
        else:
            super().handle_parser_exception()

    def _refuse_size(self) -> None:
        self.queue.put_nowait({"type": "websocket.disconnect", "code": refusals.TOO_BIG, "reason": ""})
        if not self.close_sent and not self.transport.is_closing():
            refusal = refusals.too_big()
            said = messages.error(refusal.code, refusal.detail)
            self.transport.write(said.frame + refusals.close_frame(refusal.close_code))
        self.close_sent = self.refused = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        # Closing with bytes unread would reset the connection, and the refusal might never be read.
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def data_received(self, data: bytes) -> None:
        if self.refused:
            return
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self._refuse_handshake()

    def _refuse_handshake(self) -> None:
        """One that the library cannot read: uvicorn would neither answer nor close, and keep the connection."""
        self.conn.data_to_send()
        self.refused = True
        self.transport.write(BAD_HANDSHAKE)
        self.transport.close()
