"""``python -m config.server [--host HOST] [--port PORT] [--shared]``: the whole site under Uvicorn, one process.

Pages, API and admin (`config.wsgi_adapter`) and the live side on one port, with connections the hub can write to
directly and an end on which every viewer is told to come back. `make run` starts one for each core on one shared port;
in production, where nginx sends the pages to `web`, they are the `live` processes, each on a port of its own.
"""

import argparse
import gc
import logging
import os
import resource
import socket
import threading
from contextlib import suppress

import uvicorn
from prometheus_client import multiprocess

from config.asgi import application  # isort: split  # first: it sets Django up
<<<<<<< HEAD
=======
from config.http_protocol import SiteHttp
from config.protocols import LiveWebSocket
>>>>>>> 4808cca (serve)
from leaderboard.live import messages
from leaderboard.live.hub import hub
from leaderboard.live.protocols import LiveHttp, LiveWebSocket

OPEN_FILES = 65_536  # one for each viewer
BACKLOG = 4096
IDLE_SECONDS = 75  # between two requests; longer than a proxy keeps its connections
# 10 s from SIGTERM to the end are promised, whatever hangs.
LINGER_SECONDS = 4  # for what is left after the farewell
LAST_RESORT_SECONDS = 9.5


<<<<<<< HEAD
class SiteHttp(LiveHttp):
    """Gives up on a client that does not finish a request, or takes no bytes of its answer."""

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0

    # --- time ---

    def _allow(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._time_is_up, seconds)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self, seconds: float) -> None:
        if self.flow.read_paused:  # we make the client wait: its earlier requests are not answered yet
            self._allow(seconds)
        else:
            self.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._allow(HEAD_SECONDS)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._allow(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._allow(BODY_SECONDS)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._allow(BODY_SECONDS)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stop_timer()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._stop_timer()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.drained is None:
            self._stalled = self.loop.call_later(STALL_SECONDS, self.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._stalled is not None:
            self._stalled.cancel()
        super().connection_lost(exc)

    # --- what cannot be read ---

    def data_received(self, data: bytes) -> None:
        began_in_head = self._in_head
        super().data_received(data)
        if began_in_head and self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT:
                self._refuse(431, f"Expected at most {HEAD_LIMIT} bytes of headers.")

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "This is not a request of HTTP/1.")

    def _refuse(self, status: int, detail: str) -> None:
        request_id = accept_or_make(None)
        said = {**document("invalid-request", detail, status=status), "request_id": request_id}
        body = json.dumps(said).encode()
        head = (
            f"content-type: {CONTENT_TYPE}\r\ncontent-length: {len(body)}\r\nx-request-id: {request_id}\r\n"
            "cache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()


=======
>>>>>>> 4808cca (serve)
class SiteServer(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """First no new viewers, then a goodbye to those there are, then uvicorn's own end."""
        last_resort = threading.Timer(LAST_RESORT_SECONDS, os._exit, [1])
        last_resort.daemon = True
        last_resort.start()
        for server in self.servers:
            server.close()
        await hub().farewell()
        await super().shutdown(sockets)


def configuration() -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=SiteHttp,
        ws=LiveWebSocket,
        ws_max_size=messages.MAX_MESSAGE,
        ws_per_message_deflate=False,  # a compressor for each viewer would be most of its memory
        ws_ping_interval=None,  # `ping` messages do this, and stalled viewers are found by their buffers
        lifespan="on",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=LINGER_SECONDS,
    )


def allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.server")
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--shared", action="store_true", help="other processes of the site listen on this port, too")
    options = parser.parse_args()
    allow_open_files()
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    address = (options.host, options.port)
    listener = socket.create_server(address, family=family, backlog=BACKLOG, reuse_port=options.shared)
    gc.collect()
    gc.freeze()  # what is loaded by now stays: the collector need not look at it again and again
    try:
        with suppress(KeyboardInterrupt):  # uvicorn raises it again once everything has ended in order
            SiteServer(configuration()).run([listener])
    finally:
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]  # its viewers are gone


if __name__ == "__main__":
    main()
