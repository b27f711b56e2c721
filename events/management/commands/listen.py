"""`manage.py listen`"""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from events import envelope
from scoreboard import changes

POLL_SECONDS = 0.5


class Command(BaseCommand):
    help = "Prints each event from now on, one JSON document a line, before it would be encrypted. Ctrl-C ends it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=0, help="end after this many")

    def handle(self, *, count: int, **options: Any) -> None:
        since, printed = changes.snapshot(), 0
        self.stderr.write("Listening.")
        try:
            while True:
                until = changes.snapshot()
                first = changes.first(since, until)
                after = (first or 0) - 1
                while first is not None and (entries := changes.entries(since, until, after)):
                    for event in envelope.updates(entries):
                        self.stdout.write(envelope.text(event))
                        printed += 1
                        if printed == count:
                            return
                    self.stdout.flush()
                    after = entries[-1].id
                since = until
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            return
