"""nginx from deploy/nginx.conf before two `web` and two `live` processes, all on ports of their own."""

import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.processes import PATIENCE, ROOT, eventually, listens, running
from tests.support.programs import needed
from tests.system.live.server import Server, free_port

CONFIGURATION = ROOT / "deploy" / "nginx.conf"
ROLES = {"8100": "door", "8101": "web", "8102": "web", "8201": "live", "8202": "live"}


def configured(folder: Path, ports: dict[str, int], *changes: tuple[str, str]) -> list[str]:
    """The command that starts nginx with deploy/nginx.conf, but on these ports and with each (old, new) text."""
    text = CONFIGURATION.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    text = re.sub(r"127\.0\.0\.1:(\d{4})", lambda m: f"127.0.0.1:{ports.get(m[1], m[1])}", text)
    (folder / "nginx.conf").write_text(text)
    program = needed("nginx", "nginx-light")
    return [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]


class Web(Server):
    """One `web` process as the Procfile starts it, on a port."""

    command = ("-m", "granian")

    def arguments(self) -> tuple[str, ...]:
        options = "--interface wsgi --workers 1 --blocking-threads 4 --no-ws --log-level warning --host 127.0.0.1"
        return (*options.split(), "--port", str(self.port), "config.wsgi:application")

    def close(self) -> None:
        """By its supervisor: killed outright, that would leave its worker behind."""
        self.end()


class Door(Server):
    """nginx; a Server only in that it has a port and answers."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self.port = ports["8100"]
        self.log = folder / "nginx.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(configured(folder, ports), stdout=output, stderr=subprocess.STDOUT)
        eventually(self.answers, "nginx answers")


@contextmanager
def two_of_each(folder: Path) -> Iterator[tuple[Door, list[Web], list[Server]]]:
    """(the door, the two web processes, the two live processes)"""
    with ExitStack() as stack:
        generous = {f"LIMIT_{name}": "off" for name in ("IP", "USER", "ACTIONS")} | {"REDIS_TIMEOUT": "20"}
        webs = [Web(folder / f"web-{n}.log", TRUSTED_PROXIES="1", **generous) for n in range(2)]
        lives = [Server(folder / f"live-{n}.log", TRUSTED_PROXIES="1") for n in range(2)]
        for server in (*webs, *lives):
            stack.callback(server.close)
        used = iter([free_port(), *(server.port for server in (*webs, *lives))])
        door = Door(folder, {standard: next(used) for standard in ROLES})
        stack.callback(door.process.wait, PATIENCE)
        stack.callback(door.process.terminate)
        yield door, webs, lives


def post(server: Server, path: str, body: bytes, **headers: str) -> bytes:
    request = urllib.request.Request(server.http(path), body, {"Content-Type": "application/json", **headers})  # noqa: S310
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:  # noqa: S310
        return bytes(response.read())


@contextmanager
def nginx(folder: Path, ports: dict[str, int], *changes: tuple[str, str]) -> Iterator[int]:
    """nginx alone, configured so, with whatever is behind it; yields its port."""
    log = folder / "nginx.log"
    with running(configured(folder, ports, *changes), os.environ, log) as process:
        eventually(lambda: listens(ports["8100"]) or process.poll() is not None, "nginx listens")
        assert process.poll() is None, log.read_text()
        yield ports["8100"]
        process.terminate()
        process.wait(PATIENCE)
