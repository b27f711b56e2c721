"""PostgreSQL and Redis that arrive by pip, for `make run` and `make test` on a machine that has neither.

``python -m devsite.servers exec [--home HOME] -- COMMAND…`` runs COMMAND with DATABASE_URL and REDIS_URL
pointing at such servers where they are unset, by default on a throw-away home, and ends with COMMAND's
exit code.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from devsite.home import locked, socket_folder
from devsite.postgres import Postgres
from devsite.process import Child, Refusal, die_with
from devsite.valkey import Valkey


class Servers(dict[str, str]):
    """DATABASE_URL and REDIS_URL of the servers that run here; empty when both were set already."""

    def __init__(self) -> None:
        super().__init__()
        self.children: list[Child] = []

    def fallen(self) -> str | None:
        """The name of a server that has ended by itself, if one has."""
        return next((child.name for child in self.children if not child.running()), None)


@contextmanager
def missing_servers(home: Path) -> Iterator[Servers]:
    """Run what neither DATABASE_URL nor REDIS_URL names, on the data below `home`; stopped when the block is left.

    Raises Refusal when they cannot run here, or when another start uses `home`, whether it is needed or not.
    """
    home = home.absolute()
    with locked(home) as lock, socket_folder(home) as sockets, ExitStack() as stack:
        running = Servers()
        for name, kind in (("REDIS_URL", Valkey), ("DATABASE_URL", Postgres)):
            if os.environ.get(name):
                continue
            server = kind(home, sockets)
            # For stopping before it starts: a start that fails or is interrupted leaves nothing.
            stack.callback(server.child.stop)
            server.start(lock)
            running[name] = server.url
            running.children.append(server.child)
        yield running


def run_beside(command: list[str], home: Path) -> int:
    """Run `command` with servers for the URLs that are unset; its exit code, 128 + n if signal n ended it."""
    with missing_servers(home) as running:
        supervisor = os.getpid()
        process = subprocess.Popen(
            command,
            env={**os.environ, **running},
            preexec_fn=lambda: die_with(supervisor, signal.SIGTERM),
        )

        def forward(signum: int, frame: FrameType | None) -> None:
            process.send_signal(signum)

        def look_after(signum: int, frame: FrameType | None) -> None:
            if (name := running.fallen()) and process.poll() is None:
                sys.stderr.write(f"{name} has ended; stopping.\n")
                process.terminate()

        # A terminal's Ctrl-C reaches the whole group, the command included; passing it on would double it.
        signal.signal(signal.SIGINT, signal.SIG_IGN if sys.stdin.isatty() else forward)
        signal.signal(signal.SIGTERM, forward)
        signal.signal(signal.SIGHUP, forward)
        signal.signal(signal.SIGCHLD, look_after)
        look_after(signal.SIGCHLD, None)
        code = process.wait()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if running.fallen():
            code = code or 1
    return code if code >= 0 else 128 - code


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m devsite.servers")
    parser.add_argument("action", choices=["exec"])
    parser.add_argument("--home", type=Path, help="keep the data here instead of in a folder that is removed")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    # Until the command runs and gets its signals itself: leave by way of every `finally`.
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda number, frame: sys.exit(128 + number))
    with ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scoreboard-")))
        try:
            return run_beside(options.command, home)
        except Refusal as refusal:
            sys.stderr.write(f"{refusal}\n")
            return 1
        except KeyboardInterrupt:  # while the servers were starting
            return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
