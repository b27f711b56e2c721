"""Waits until the site answers at its one URL, then prints where it is and who can sign in."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time
from pathlib import Path

from config.local import DEMO_LIMITS

_SECONDS = 90.0

LOGINS = (("admin", "admin-demo"), ("mod", "mod-demo"), ("alice", "alice-demo"))


def main() -> None:
    host, port = os.environ["HOST"], int(os.environ["PORT"])
    deadline = time.monotonic() + _SECONDS
    while not (ready(host, port) and accepts(Path(os.environ["SCOREBOARD_SOCKETS"]) / "live.sock")):
        if time.monotonic() > deadline:
            sys.exit(f"The site does not answer after {_SECONDS:.0f} s; the processes' output above says why.")
        time.sleep(0.1)
    sys.stdout.write(block(host, port, demo=os.environ.get("DEMO", "1") != "0"))


def ready(host: str, port: int) -> bool:
    """Whether `/readyz` says that the site should get traffic."""
    connection = http.client.HTTPConnection(local_address(host), port, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": f"127.0.0.1:{port}"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def accepts(path: Path) -> bool:
    """Whether a server listens on the Unix socket `path`."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def local_address(host: str) -> str:
    """Where a listener on `host` is reached from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (nothing is bound here)


def block(host: str, port: int, *, demo: bool) -> str:
    address = local_address(host)
    url = f"http://{f'[{address}]' if ':' in address else address}:{port}/"
    lines = [f"The scoreboard is up: {url}", ""]
    if demo:
        lines += ["Demo players are scoring through the public API (DEMO=0 starts without them).", "Sign in as"]
        lines += [f"  {name:<8} {password}" for name, password in LOGINS]
        lines += ["With it these limits apply: " + ", ".join(f"{name}={os.environ[name]}" for name in DEMO_LIMITS)]
    else:
        lines += ['Without demo data. Make an admin with: make manage COMMAND="createsuperuser"']
    lines += ["Stop everything with Ctrl-C."]
    rule = "=" * max(map(len, lines))
    return "\n".join(["", rule, *lines, rule, "", ""])


if __name__ == "__main__":
    main()
