"""The front as a process, with the test in the place of the servers behind it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.live.server import PATIENCE, ROOT, eventually, free_port


@dataclass
class Front:
    """`web` and `live` listen where the front looks for the site's servers."""

    port: int
    process: subprocess.Popen[bytes]
    web: socket.socket
    live: socket.socket

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def accepts(self) -> bool:
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return False
        return True

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@pytest.fixture
def front() -> Iterator[Front]:
    with tempfile.TemporaryDirectory(prefix="front-") as folder:
        port = free_port()
        environment = {**os.environ, "SCOREBOARD_SOCKETS": folder, "HOST": "127.0.0.1", "PORT": str(port)}
        process = subprocess.Popen([sys.executable, "-m", "config.front"], cwd=ROOT, env=environment)
        with listener(Path(folder) / "web.sock") as web, listener(Path(folder) / "live.sock") as live:
            front = Front(port, process, web, live)
            try:
                eventually(front.accepts, "the front listens")
                yield front
            finally:
                process.kill()
                process.wait()


def listener(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    server.settimeout(PATIENCE)
    return server
