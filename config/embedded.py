"""PostgreSQL and Redis that arrive by pip, for `make run` and `make test` on a machine that has neither.

``python -m config.embedded exec [--home HOME] -- COMMAND…`` runs COMMAND with DATABASE_URL and REDIS_URL
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

from config.child import Child, Refusal
from config.home import held, socket_folder
from config.leash import die_with
from config.postgres import Postgres
from config.valkey import Valkey

__all__ = ["Refusal", "Servers", "servers"]


class Servers(dict[str, str]):
    """DATABASE_URL and REDIS_URL of the servers that run here; empty when none was asked for.

    `sockets` is the home's private folder for Unix sockets.
    """

    def __init__(self, sockets: Path) -> None:
        super().__init__()
        self.sockets = sockets
        self.children: list[Child] = []

    def fallen(self) -> str | None:
        """The name of a server that has ended by itself, if one has."""
        return next((child.name for child in self.children if not child.running()), None)


@contextmanager
def servers(home: Path, *, postgres: bool, redis: bool) -> Iterator[Servers]:
    """Run the servers asked for on the data below `home`; they have stopped when the block is left.

    Raises Refusal when they cannot run here, or when another start uses `home`, whatever was asked for.
    """
    home = home.absolute()
    with held(home) as lock, ExitStack() as stack:
        sockets = stack.enter_context(socket_folder(home))
        running = Servers(sockets)
        # Each is entered for stopping before it starts: a start that fails or is interrupted leaves nothing.
        if redis:
            valkey = Valkey(home, sockets)
            stack.callback(valkey.child.stop)
            valkey.start(lock)
            running["REDIS_URL"] = valkey.url
            running.children.append(valkey.child)
        if postgres:
            cluster = Postgres(home, sockets)
            stack.callback(cluster.child.stop)
            cluster.start(lock)
            running["DATABASE_URL"] = cluster.url
            running.children.append(cluster.child)
        yield running


def run_beside(command: list[str], home: Path) -> int:
    """Run `command` with servers for the URLs that are unset; its exit code, 128 + n if signal n ended it."""
    missing = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
    with servers(home, postgres="DATABASE_URL" in missing, redis="REDIS_URL" in missing) as running:
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
    parser = argparse.ArgumentParser(prog="python -m config.embedded")
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
