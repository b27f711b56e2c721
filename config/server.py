"""``python -m config.server [--host HOST] [--port PORT] [--shared]``: the whole site under Uvicorn, one process.

Pages, API and admin (`api.wsgi_adapter`) and the live side on one port, with connections the hub can write to
directly and an end on which every viewer is told to come back. `make run` starts one for each core on one shared port;
in production, where nginx sends the pages to `web`, they are the `live` processes, each on a port of its own.
"""

import argparse
import asyncio
import gc
import logging
import os
import resource
import socket
import threading
from contextlib import suppress
from importlib import import_module

import uvicorn
from prometheus_client import multiprocess

from api import tracing
from config.asgi import application  # isort: split  # first: it sets Django up
from leaderboard.live import messages
from leaderboard.live.http_protocol import SiteHttp
from leaderboard.live.hub import hub
from leaderboard.live.protocols import LiveWebSocket

OPEN_FILES = 65_536  # one for each viewer
BACKLOG = 4096
IDLE_SECONDS = 75  # between two requests; longer than a proxy keeps its connections
# 10 s from SIGTERM to the end are promised, whatever hangs.
LINGER_SECONDS = 4  # for what is left after the farewell
LAST_RESORT_SECONDS = 9.5


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
        await asyncio.to_thread(leave)


def leave() -> None:
    """Before the end: Uvicorn repeats the signal that stopped it, which ends the interpreter on the spot."""
    import_module("accounts.audit").stop()
    tracing.stop()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]  # its viewers are gone


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
    parser.add_argument("--host", default=os.environ.get("BIND") or "127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--shared", action="store_true", help="other processes of the site listen on this port, too")
    options = parser.parse_args()
    allow_open_files()
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    address = (options.host, options.port)
    listener = socket.create_server(address, family=family, backlog=BACKLOG, reuse_port=options.shared)
    gc.collect()
    gc.freeze()  # what is loaded by now stays: the collector need not look at it again and again
    with suppress(KeyboardInterrupt):  # uvicorn raises it again once everything has ended in order
        SiteServer(configuration()).run([listener])


if __name__ == "__main__":
    main()
