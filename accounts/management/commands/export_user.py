"""`manage.py export_user alice [--output alice.json]`, or `--id <id>`"""

import json
import os
import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from accounts import privacy
from accounts.management import chosen


class Command(BaseCommand):
    help = "Writes everything held about one person as one JSON document."

    def add_arguments(self, parser: ArgumentParser) -> None:
        chosen.add_arguments(parser)
        parser.add_argument("--output", help="a new file, readable by you alone; default: standard output")

    def handle(self, *, user: str | None, id: uuid.UUID | None, output: str | None, **options: Any) -> None:
        found = chosen.user(user, id)
        try:
            document = privacy.export(found)
        except privacy.Unfinished as error:
            raise CommandError(f"Not everything is in reach: {error}") from error
        text = json.dumps(document, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
        if output is None:
            self.stdout.write(text)
            return
        try:
            with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError as error:
            raise CommandError(f"Cannot write {output}: {error.strerror}") from error
