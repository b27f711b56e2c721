"""Everything about one person, over all apps: what they and `manage.py export_user` get, what both may erase.

Each app registers its `export` and its `erase` when it is loaded (`<App>Config.ready`).
"""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import structlog
from django.http import HttpRequest
from django.utils import timezone

from accounts import identity_data, passwords
from accounts.models import User
from api.problems import Problem
from api.throttles import charge, hit

log = structlog.get_logger(__name__)

FORMAT = 1
FINISHED_WITHIN = timedelta(days=2)


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
    demand_none(failures)
    return erased_now


def demand_none(failures: list[Exception]) -> None:
    if failures:
        raise Unfinished("; ".join(map(str, failures))) from failures[0]


# --- by the person, over the API and on the account's page


def own_export(user: User) -> dict[str, Any]:
    """`export`, under LIMIT_EXPORT. Raises Problem rate-limited, and unavailable when a part is out of reach."""
    hit(charge("export", str(user.pk)))
    try:
        return export(user)
    except Unfinished as error:
        log.warning("export_unfinished", user_id=str(user.pk), error=str(error))
        raise Problem("unavailable", "Not everything is in reach.", headers={"Retry-After": "10"}) from error


def erase_oneself(user: User, password: str, request: HttpRequest) -> None:
    """Erases the user. Raises ValidationError for a wrong password, Problem forbidden for staff, rate-limited."""
    if user.is_staff:
        raise Problem("forbidden", "Admins are not erased this way: an operator does it, with erase_user.")
    passwords.prove(user, password, "password", request)
    erase_now(user.pk)


def erase_now(user_id: uuid.UUID) -> None:
    """Erases the user; what a store that is away still holds, `finish_erasures` erases."""
    try:
        erase(user_id)
    except Unfinished as error:
        log.warning("erasure_unfinished", user_id=str(user_id), error=str(error))


def finish_erasures() -> None:
    """Erases again who was erased lately: nothing, for most; for some what was out of reach. Raises Unfinished."""
    failures: list[Exception] = []
    for user_id in User.objects.filter(erased_at__gt=timezone.now() - FINISHED_WITHIN).values_list("pk", flat=True):
        try:
            erase(user_id)
        except Exception as error:  # one that cannot be finished must not keep the others waiting
            failures.append(error)
    demand_none(failures)
