"""`manage.py prepare [--demo]`: the schema, and the demo's players and scores if asked for; its passwords only then.

One process for both: loading Django takes longer than either when there is nothing to do.
"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from devsite import demo_key
from devsite.checks import older_database
from devsite.players import documented


class Command(BaseCommand):
    help = (
        "Migrates the database; refuses one that an earlier version made. With --demo, adds the demo to an empty one; "
        "without, switches the demo's documented passwords off."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true")

    def handle(self, *args: Any, demo: bool, **options: Any) -> None:
        if found := older_database():
            raise CommandError(found)
        call_command("migrate", interactive=False, verbosity=0)
        if demo:
            call_command("load_demo")
            documented.switch_on()
            return
        demo_key.end(Path(settings.SCOREBOARD_HOME))
        if closed := documented.switch_off():
            self.stdout.write(
                f"This database has the demo's accounts. The documented passwords of {', '.join(closed)} are off; "
                "DEMO=1 brings them back."
            )
