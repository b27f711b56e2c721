"""uvicorn with connections the hub can write to directly, and an end on which every viewer is told to come back."""

import gc
import logging
import os
import socket
import threading

import uvicorn
from prometheus_client import multiprocess

from leaderboard.live import messages
from leaderboard.live.hub import hub
from leaderboard.live.protocols import LiveHttp, LiveWebSocket
from leaderboard.live.routing import application

# 10 s from SIGTERM to the end are promised, whatever hangs.
LINGER_SECONDS = 4  # for what is left after the farewell
LAST_RESORT_SECONDS = 9.5


class LiveServer(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """First no new viewers, then a goodbye to those there are, then uvicorn's own end."""
        last_resort = threading.Timer(LAST_RESORT_SECONDS, os._exit, [1])
        last_resort.daemon = True
        last_resort.start()
        for server in self.servers:
            server.close()
        await hub().farewell()
        await super().shutdown(sockets)


def serve(*, host: str, port: int, uds: str | None) -> None:
    """Until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        application(),
        host=host,
        port=port,
        uds=uds,
        loop="uvloop",
        http=LiveHttp,
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
        backlog=4096,
        timeout_graceful_shutdown=LINGER_SECONDS,
    )
    gc.collect()
    gc.freeze()  # what is loaded by now stays: the collector need not look at it again and again
    try:
        LiveServer(config).run()
    finally:
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]  # its viewers are gone
