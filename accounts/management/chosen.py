"""Whom a command is about: a name, or an id behind `--id`, so that no name is taken for another user's id."""

import uuid
from argparse import ArgumentParser

from django.core.management.base import CommandError

from accounts.models import User


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("user", nargs="?", help="a name, in any capitals")
    parser.add_argument("--id", type=uuid.UUID, help="an id; who was erased is found by it alone")


def user(name: str | None, user_id: uuid.UUID | None) -> User:
    """Raises CommandError unless exactly one is given, and there is such a user."""
    if (name is None) == (user_id is None):
        raise CommandError("Give a name, or --id and an id.")
    found = (User.objects.named(name or "") if user_id is None else User.objects.filter(pk=user_id)).first()
    if found is None:
        raise CommandError(f"There is no user {name or user_id!s}.")
    return found
