"""`manage.py erase_user alice [--yes]`, or `--id <id>`"""

import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import privacy
from accounts.identity_data import StillSuperuser
from accounts.management import chosen


class Command(BaseCommand):
    help = (
        "Erases a person for good: name, addresses, sessions, tokens, flags and whatever else names or describes them. "
        "The figures of their history stay, under an id that belongs to no person."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        chosen.add_arguments(parser)
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *, user: str | None, id: uuid.UUID | None, yes: bool, **options: Any) -> None:
        found = chosen.user(user, id)
        if not yes and not self.confirmed(found.shown_name, str(found.pk)):
            raise CommandError("Nothing was changed.")
        try:
            erased_now = privacy.erase(found.pk)
        except StillSuperuser as error:
            raise CommandError(str(error)) from error
        except privacy.Unfinished as error:
            raise CommandError(f"This is not finished: run erase_user --id {found.pk} again. {error}") from error
        self.stdout.write(f"{found.pk} is erased." if erased_now else f"{found.pk} was erased before; nothing is left.")

    def confirmed(self, username: str, user_id: str) -> bool:
        self.stdout.write(f"{username} ({user_id}) will be erased. This cannot be undone.")
        try:
            return input("Type the name to go on: ") == username
        except EOFError:
            return False
