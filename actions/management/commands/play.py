"""`manage.py play`: players who really call the API, and what they saw."""

import hashlib
import hmac
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from actions.play.__main__ import Order
from actions.play.tally import Tally, lines, total

Process = subprocess.Popen[bytes]


class Command(BaseCommand):
    help = (
        "Starts players in processes of their own that sign up or in, mint and redeem over HTTP, then prints what "
        "they saw. Ends with 1 when nothing was accepted, the server failed (5xx) or a token was paid twice."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--players", type=between(1, 10_000, int), default=50)
        parser.add_argument(
            "--rate", type=between(0.001, 100_000, float), default=20.0, help="Actions per second, all together."
        )
        parser.add_argument(
            "--seconds", type=between(0, 1e9, float), default=60.0, help="0: until stopped by a signal."
        )
        parser.add_argument(
            "--patience",
            type=between(0, 3600, float),
            default=30.0,
            help="Seconds to wait for the site to answer, and for the players to be signed in before the clock starts.",
        )
        parser.add_argument("--processes", type=between(1, 64, int), default=2)
        parser.add_argument(
            "--repeat",
            type=between(0, 1, float),
            default=0.02,
            help="Share of tokens handed in a second time on purpose.",
        )
        parser.add_argument(
            "--url",
            type=origin,
            default=f"http://127.0.0.1:{os.environ.get('PORT', '8000')}",
            help="Where the site is; default: PORT of this machine.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        secret, known = shared_secret(Path(settings.SCOREBOARD_HOME))
        names = [f"play-{number:03}" for number in range(1, options["players"] + 1)]
        players = [(name, password(secret, name)) for name in names]
        count = min(options["processes"], len(players))
        orders = [
            Order(
                url=options["url"],
                players=players[first::count],
                known=known,
                rate=options["rate"] * len(players[first::count]) / len(players),
                seconds=options["seconds"],
                repeat=options["repeat"],
                patience=options["patience"],
            )
            for first in range(count)
        ]
        tallies = played(orders)
        whole = total(tallies)
        self.stdout.write("\n".join(lines(whole, options["rate"])))
        if len(tallies) < count:
            raise CommandError(f"{count - len(tallies)} of {count} processes ended without a report.")
        if not whole.clean:
            raise CommandError("Nothing was accepted, the server failed, or a repeat was not refused.")


def played(orders: list[Order]) -> list[Tally]:
    """Runs one process for each order; the tallies of those that reported."""
    processes: list[Process] = []
    with stopping(processes):
        for order in orders:
            process = subprocess.Popen(
                [sys.executable, "-m", "actions.play"],
                cwd=settings.BASE_DIR,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            processes.append(process)
            if process.stdin is None:
                raise AssertionError("the pipe was asked for")
            # Passwords go through the pipe, not where `ps` shows them. It stays open: its end means stop.
            process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
            process.stdin.flush()
        reports = [process.stdout.read() if process.stdout else b"" for process in processes]
    return [Tally.from_json(report) for report in reports if report]


@contextmanager
def stopping(processes: list[Process]) -> Iterator[None]:
    """Passes a signal to stop on to the processes, which then report; leaves none behind."""

    def stop(*_: object) -> None:
        for process in processes:
            if process.stdin is not None:
                with suppress(BrokenPipeError):
                    process.stdin.close()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        stop()
        for process in processes:
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def shared_secret(home: Path) -> tuple[bytes, bool]:
    """The secret all players' passwords derive from, and whether it was there before: then so, probably, are they."""
    path = home / "play_secret"
    if path.exists():
        return path.read_bytes(), True
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=home) as fresh:  # readable by this user alone
        fresh.write(secrets.token_bytes(32))
        fresh.flush()
        # Another start may have been faster; then its secret is the one.
        with suppress(FileExistsError):
            os.link(fresh.name, path)
    return path.read_bytes(), False


def password(secret: bytes, name: str) -> str:
    return "p-" + hmac.digest(secret, name.encode(), hashlib.sha256).hex()[:32]


def between(low: float, high: float, kind: Callable[[str], float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return parse


def origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ArgumentTypeError(f"{text!r} is not an origin such as http://127.0.0.1:8000")
    return text
