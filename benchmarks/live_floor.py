"""The floor of pushing: an event loop that writes ready-made bytes to every connection, and does nothing else.

`python -m benchmarks.live_floor PORT BYTES`: answers whatever it is sent with a WebSocket handshake's length of bytes,
and writes a frame of BYTES to everyone for each line on standard input, which is the seq to put into it.
"""

import asyncio
import sys
from typing import cast

import uvloop
from websockets.frames import Frame, Opcode

HANDSHAKE = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n"


class Floor(asyncio.Protocol):
    transports: set[asyncio.Transport] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transports.add(self.transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(HANDSHAKE)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transports.discard(self.transport)


def frame(seq: int, size: int) -> bytes:
    said = b'{"type":"leaderboard_update","board":"global","epoch":"floor","seq":%d,"top":"' % seq
    return Frame(Opcode.TEXT, said + b"x" * (size - len(said) - 2) + b'"}').serialize(mask=False)


async def main(port: int, size: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Floor, "127.0.0.1", port, backlog=4096)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while order := await orders.readline():
        data = frame(int(order), size)
        for transport in tuple(Floor.transports):
            transport.write(data)
    server.close()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
