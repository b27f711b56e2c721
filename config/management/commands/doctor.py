"""`manage.py doctor [--json]`: what is wrong with this installation, in sentences, and what to do about it."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.checks import ERROR, WARNING, CheckMessage, Error
from django.core.checks.registry import registry
from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS
from django.db import Error as DatabaseError
from psycopg.errors import UndefinedColumn, UndefinedTable
from redis.exceptions import RedisError

from api.checks import POSTGRESQL, REDIS, installation
from config import server_checks
from config.server_checks import first_line

ILL = 1
# Django's own words for what `installation_checks` says in the names of our settings.
SAID_BETTER = {f"security.{number}" for number in ("W004", "W008", "W009", "W011", "W012", "W016", "W018", "W020")}
LEVELS = {"error": ERROR, "warning": WARNING}


class Command(BaseCommand):
    help = (
        "Says what is wrong with this installation and what to do about it: settings, PostgreSQL, Redis, the broker, "
        "clocks, worker and beat, files, mail, accounts, and how visitors come in. Changes nothing. "
        "Exit codes: 0 nothing is wrong (there may be advice), 1 something is."
    )
    requires_system_checks = []  # it makes them, and goes on whatever they find

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs: findings, each with id and level")

    def handle(self, *, json: bool, **options: Any) -> None:
        found, not_asked = examine()
        found.sort(key=lambda message: -message.level)
        self.show_json(found, not_asked) if json else self.show(found, not_asked)
        if any(message.is_serious(WARNING) for message in found):
            sys.exit(ILL)

    def show(self, found: list[CheckMessage], not_asked: list[str]) -> None:
        for message in found:
            self.stdout.write(f"{level(message):8} {message.msg}")
            if message.hint:
                self.stdout.write(f"{'':8} → {message.hint}")
        for server in not_asked:
            self.stdout.write(f"What needs {server} was not examined.")
        if not found:
            self.stdout.write("Nothing is wrong that could be seen from here.")

    def show_json(self, found: list[CheckMessage], not_asked: list[str]) -> None:
        findings = [
            {"id": message.id, "level": level(message), "says": str(message.msg), "remedy": message.hint}
            for message in found
        ]
        self.stdout.write(json.dumps({"findings": findings, "not_examined": not_asked}, ensure_ascii=False, indent=1))


def examine() -> tuple[list[CheckMessage], list[str]]:
    """(what is wrong, the servers that were not asked because they are away)."""
    found = server_checks.away()
    names = {message.id for message in found}
    absent = {POSTGRESQL: server_checks.AWAY in names, REDIS: server_checks.AWAY_REDIS in names}
    databases = None if absent[POSTGRESQL] else [DEFAULT_DB_ALIAS]
    for check in registry.get_checks(include_deployment_checks=True):
        found += ask(check, databases)
    for check in installation.get_checks():
        if not any(absent.get(tag) for tag in check.tags):
            found += ask(check, databases)
    spoken = [message for message in found if message.id not in SAID_BETTER and not message.is_silenced()]
    return spoken, [tag for tag in absent if absent[tag]]


def ask(check: Any, databases: list[str] | None) -> Iterable[CheckMessage]:
    """What it finds; that a server refuses the question is a finding, too, and the other questions are asked."""
    try:
        return list(check(app_configs=None, databases=databases))
    except Exception as error:
        said = f"{check.__module__}.{check.__name__} could not be asked: {first_line(error)}"
        return [Error(said, hint=remedy(error), id="doctor.E000")]


def remedy(error: Exception) -> str:
    if isinstance(error.__cause__, (UndefinedTable, UndefinedColumn)):
        return "manage.py migrate"
    if isinstance(error, (DatabaseError, RedisError)):
        return "The rights of DATABASE_URL and REDIS_URL."
    return "The settings that it is about."


def level(message: CheckMessage) -> str:
    return next((name for name, least in LEVELS.items() if message.level >= least), "advice")
