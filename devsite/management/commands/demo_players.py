"""`manage.py demo_players`: players who really call the API, and what they saw."""

import os
import signal
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from devsite import demo_key
from devsite.players import crowd, people
from devsite.players.password import shared_password


class Command(BaseCommand):
    help = (
        "Players who sign in or up, mint and redeem over HTTP; prints what they saw. What only a back end grants, they "
        "get by the demo's API key, if SCOREBOARD_HOME has one (demo_key). Ends with 1 when nothing was accepted, the "
        "server failed (5xx) or a token was paid twice."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--players", type=between(1, 10_000, int), default=len(people.PLAYERS))
        parser.add_argument(
            "--rate", type=between(0.001, 100_000, float), default=20.0, help="Actions per second, all together."
        )
        parser.add_argument(
            "--seconds",
            type=between(0, 1e9, float),
            default=60.0,
            help="To wait for the site, and to play after all players are signed in. 0: until stopped by a signal.",
        )
        parser.add_argument(
            "--repeat",
            type=between(0, 1, float),
            default=0.02,
            help="Share of tokens handed in a second time on purpose.",
        )
        parser.add_argument(
            "--url",
            type=origin,
            default=f"http://127.0.0.1:{os.environ.get('PORT') or '8000'}",
            help="Where the site is; default: PORT of this machine.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        home = Path(settings.SCOREBOARD_HOME)
        password, key = shared_password(home), demo_key.read(home)
        crew = [(people.username(number), people.email(number)) for number in range(options["players"])]
        with stopped_by_signals() as stop:
            tally = crowd.play(
                options["url"], crew, password, key, options["rate"], options["seconds"], options["repeat"], stop
            )
        self.stdout.write(tally.report(options["rate"]))
        if not tally.clean:
            raise CommandError("Nothing was accepted, the server failed, or a repeat was not refused.")


@contextmanager
def stopped_by_signals() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set, so that the players end in order and report."""
    stop = Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
