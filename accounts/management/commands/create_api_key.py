"""`manage.py create_api_key NAME --scopes award,players`"""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts import api_keys
from accounts.models import SITE, ApiKey


class Command(BaseCommand):
    help = "Makes an API key for a back end and prints it, this once, alone on the last line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="which back end uses it")
        parser.add_argument("--scopes", required=True, help=f"of {', '.join(ApiKey.Scope.values)}; separated by commas")
        parser.add_argument("--types", default="", help="action types it may grant, separated by commas; default: all")
        parser.add_argument("--provider", default=SITE, help=f"whose user ids it speaks of; default: {SITE}")
        parser.add_argument("--limit", help="requests, such as 6000/minute, or off; default: LIMIT_KEY")

    def handle(self, *, name: str, scopes: str, types: str, provider: str, limit: str | None, **options: Any) -> None:
        granted = types.split(",") if types else []
        try:
            key, text = api_keys.issue(name, scopes.split(","), limit=limit, action_types=granted, provider=provider)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stderr.write(f"{key} may {', '.join(key.scopes)}. The key is shown this once:")
        self.stdout.write(text)
