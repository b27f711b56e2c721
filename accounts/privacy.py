"""Everything about one person, over all apps: what `manage.py export_user` writes and `erase_user` erases.

Each app registers its `export` and its `erase` when it is loaded (`<App>Config.ready`).
"""

import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from django.utils import timezone

from accounts import identity_data
from accounts.models import User

FORMAT = 1


class Unfinished(Exception):
    """A part could not be exported or erased, such as while Redis is away; a repeat does the rest."""


class Part(NamedTuple):
    """What one app knows of a person; `export` returns what is JSON once dates and ids are text."""

    export: Callable[[User], dict[str, Any]]
    erase: Callable[[uuid.UUID], None]


_parts: list[Part] = []


def register(export: Callable[[User], dict[str, Any]], erase: Callable[[uuid.UUID], None]) -> None:
    """Adds an app's part. Parts are erased in the order in which they were registered, each in transactions of its own:
    it waits for whatever is at work on what it erases, and holds nothing that another part wants."""
    _parts.append(Part(export, erase))


def find(name_or_id: str) -> User | None:
    """By id, or by name in any capitals."""
    try:
        user_id = uuid.UUID(name_or_id)
    except ValueError:
        return User.objects.named(name_or_id).first()
    # A name may look like an id.
    return User.objects.filter(pk=user_id).first() or User.objects.named(name_or_id).first()


def export(user: User) -> dict[str, Any]:
    """One document. Raises Unfinished: then it would not be everything."""
    document: dict[str, Any] = {"format": FORMAT, "exported_at": timezone.now()}
    for part in _parts:
        try:
            document |= part.export(user)
        except Exception as error:  # whatever it is, what is exported must be whole
            raise Unfinished(str(error)) from error
    return document


def erase(user_id: uuid.UUID) -> bool:
    """For good; False when the identity was gone already, and only what may have been left of it was erased.

    Raises StillSuperuser, and Unfinished when a part failed, after all others are done.
    """
    erased_now = identity_data.anonymise(user_id)
    failures: list[Exception] = []
    for part in _parts:
        try:
            part.erase(user_id)
        except Exception as error:  # one store that is away must not keep the others from forgetting
            failures.append(error)
    if failures:
        raise Unfinished("; ".join(map(str, failures))) from failures[0]
    return erased_now
