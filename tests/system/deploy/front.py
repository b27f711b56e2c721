"""The site under a path of another one, behind each proxy that deploy/ has a file for, over IPv4 or IPv6 alone."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.processes import PATIENCE, ROOT, eventually
from tests.support.programs import needed
from tests.system.deploy.nginx import ROLES, Web
from tests.system.live.server import Server, free_port

SITE = "/scores"
V4, V6 = "127.0.0.1", "::1"


def host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


class Front(Server):
    """A proxy; a Server only in that it has a port and answers, below SITE."""

    def __init__(self, address: str, command: list[str], folder: Path, port: int, **environment: str) -> None:
        self.address, self.port, self.log = address, port, folder / "front.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command, env={**os.environ, **environment}, cwd=folder, stdout=output, stderr=subprocess.STDOUT
            )
        eventually(self.answers, "the proxy answers")

    def http(self, path: str) -> str:
        return f"http://{host(self.address)}:{self.port}{SITE}{path}"

    def websocket(self, query: str = "") -> str:
        return f"ws://{host(self.address)}:{self.port}{SITE}/scoreboard/live{query}"


class Listening(Server):
    """Of a process that listens on `address` and nowhere else."""

    address = V4

    def http(self, path: str) -> str:
        return f"http://{host(self.address)}:{self.port}{path}"


class BelowWeb(Listening, Web):
    def arguments(self) -> tuple[str, ...]:
        return tuple(self.address if word == V4 else word for word in super().arguments())


class BelowLive(Listening):
    def arguments(self) -> tuple[str, ...]:
        return ("--host", self.address, *super().arguments())


def configuration(name: str, folder: Path, address: str, ports: dict[str, int]) -> Path:
    """A file of deploy/ with these ports and this address in the place of its own."""
    text = (ROOT / "deploy" / name).read_text()
    if name == "nginx.conf":
        [line] = re.findall(r"^#   sed '(.*)' deploy/nginx.conf$", text, re.MULTILINE)
        text = subprocess.run(["sed", line], input=text, capture_output=True, text=True, check=True).stdout
    text = re.sub(r"127\.0\.0\.1:(\d{4})", lambda found: f"{host(address)}:{ports[found[1]]}", text)
    (folder / name).write_text(text)
    return folder / name


def command(name: str, path: Path) -> list[str]:
    if name == "nginx.conf":
        return [needed("nginx", "nginx-light"), "-p", str(path.parent), "-c", str(path), "-g", "daemon off;"]
    if name == "Caddyfile":
        return [needed("caddy", "caddy"), "run", "--config", str(path), "--adapter", "caddyfile"]
    return [needed("haproxy", "haproxy"), "-db", "-f", str(path)]


@contextmanager
def site_below(name: str, folder: Path, address: str, **changes: str) -> Iterator[tuple[Front, Server, Server]]:
    """(the proxy with this file of deploy/, web, live)"""
    own = {"SITE_PATH": SITE, "TRUSTED_PROXIES": "1", "ALLOWED_HOSTS": "*", "REDIS_TIMEOUT": "20", **changes}
    web_class, live_class = (type("At", (kind,), {"address": address}) for kind in (BelowWeb, BelowLive))
    with ExitStack() as stack:
        web = web_class(folder / "web.log", **own)
        stack.callback(web.close)
        live = live_class(folder / "live.log", **own)
        stack.callback(live.close)
        used = iter([free_port(), web.port, free_port(), live.port, free_port()])
        ports = {standard: next(used) for standard in ROLES}
        words = command(name, configuration(name, folder, address, ports))
        site_address = f"http://{host(address)}:{ports['8100']}"
        storage = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        front = Front(address, words, folder, ports["8100"], SITE_PATH=SITE, SITE_ADDRESS=site_address, **storage)
        stack.callback(front.process.wait, PATIENCE)
        stack.callback(front.process.terminate)
        yield front, web, live
