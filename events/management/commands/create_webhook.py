"""`manage.py create_webhook NAME URL`"""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from events import webhooks
from events.models import Endpoint


class Command(BaseCommand):
    help = "Makes a webhook and prints its secret, this once, alone on the last line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="who receives it")
        parser.add_argument("url", help="such as https://shop.example/hooks/scores")
        types = ", ".join(Endpoint.Type.values)
        parser.add_argument("--types", default=Endpoint.Type.UPDATES.value, help=f"of {types}; separated by commas")
        parser.add_argument("--batch", type=int, default=100, help="most events in one request; 1: one by one")

    def handle(self, *, name: str, url: str, types: str, batch: int, **options: Any) -> None:
        try:
            endpoint = webhooks.create(name, url, types.split(","), batch=batch)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stderr.write(f"{endpoint} gets {', '.join(endpoint.types)}. The secret is shown this once:")
        self.stdout.write(endpoint.secret)
