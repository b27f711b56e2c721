"""Live servers as processes of their own, and what they say about themselves."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection as database
from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import PATIENCE, ROOT, eventually

NOWHERE = "postgres://nobody@127.0.0.1:9/nothing"  # the discard port: nothing listens

_claims: list[socket.socket] = []


def own_ports() -> Iterator[int]:
    """Of blocks whose first port this process has bound, for as long as it lives: no other test process has them."""
    for first in range(20_000, 32_000, 100):
        claim = socket.socket()
        try:
            claim.bind(("127.0.0.1", first))
        except OSError:
            claim.close()
        else:
            _claims.append(claim)
            yield from range(first + 1, first + 100)


_ports = own_ports()


def database_url() -> str:
    """The test database, as an address another process can use: that of this run with the test's name in its path."""
    given = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(given._replace(path=f"/{database.settings_dict['NAME']}"))


def free_port() -> int:
    """One that no other process will have taken by the time it is used: below those that the system hands out."""
    for port in _ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class Server:
    """One process of `config.server` on the test's own board. `changes` are environment variables."""

    command: tuple[str, ...] = ("-m", "config.server")

    def __init__(self, log: Path, **changes: str) -> None:
        self.port = free_port()
        self.log = log
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"},
            "DATABASE_URL": database_url(),
            "REDIS_URL": settings.REDIS_URL,
            "REDIS_KEY_PREFIX": settings.REDIS_KEY_PREFIX,
            "SECRET_KEY": settings.SECRET_KEY,
            "JWT_SIGNING_KEY": settings.SIMPLE_JWT["SIGNING_KEY"],
            **changes,
        }
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self.command, *self.arguments()],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        eventually(self.answers, "the live server answers")

    def arguments(self) -> tuple[str, ...]:
        return ("--port", str(self.port))

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return bool(self.get("/healthz"))
        except OSError:
            return False

    def http(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def websocket(self, query: str = "") -> str:
        return f"ws://127.0.0.1:{self.port}/scoreboard/live{query}"

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.http(path), timeout=PATIENCE) as response:  # noqa: S310
            return bytes(response.read())

    def metric(self, name: str, **labels: str) -> float:
        """The value of one sample of /metrics; 0 for one that does not exist yet."""
        for family in text_string_to_metric_families(self.get("/metrics").decode()):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return 0.0

    def viewers(self) -> float:
        return sum(
            self.metric("scoreboard_live_connections", transport=transport) for transport in ("websocket", "sse")
        )

    def send(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    def end(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """Whatever state it is in."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()


class DaphneServer(Server):
    """The whole site as `manage.py runserver` serves it: under Daphne."""

    command = ("manage.py", "runserver", "--noreload")

    def arguments(self) -> tuple[str, ...]:
        return (f"127.0.0.1:{self.port}",)


class UvicornServer(Server):
    """The same under uvicorn with its own connections."""

    command = ("-m", "uvicorn")

    def arguments(self) -> tuple[str, ...]:
        return ("--port", str(self.port), "--log-level", "warning", "config.asgi:application")
