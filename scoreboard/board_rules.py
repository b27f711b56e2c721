"""Boards made, changed and deleted: what admin and the API do with a rule, and the line each leaves in the admin log.

SQL applies a rule in the statement that writes it (sql/boards.sql); what is left is filling its periods from the
history.
"""

import uuid
from collections.abc import Mapping
from typing import Any

import structlog
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from api import broker
from api.problems import Problem
from scoreboard import periods
from scoreboard.models import GLOBAL, Board

log = structlog.get_logger(__name__)

KEEP_BOARDS = "scoreboard.tasks.keep_boards"
SMALL_BYTES = 8 * 1024 * 1024  # of history, some 50,000 entries: boards over it are filled in the call that makes them
SMALL = "SELECT pg_relation_size('score_history') <= %s"


def make(values: Mapping[str, Any], by: uuid.UUID) -> Board:
    """A new board, by this user or this key's actor. Raises ValidationError, Problem slug-taken."""
    rule = Board(**values)
    if rule.slug == GLOBAL or Board.objects.filter(slug=rule.slug).exists():
        raise taken(rule.slug)
    rule.full_clean(validate_unique=False)
    try:
        with transaction.atomic():
            rule.save(force_insert=True)
            note(rule, ADDITION, by, "Made over the API.")
    except IntegrityError as error:  # by another call, at the same time
        raise taken(rule.slug) from error
    apply()
    return rule


def change(slug: str, values: Mapping[str, Any], by: uuid.UUID) -> Board:
    """The board with these values, the others as they were. Raises ValidationError, Problem not-found."""
    with transaction.atomic():
        rule = locked(slug)
        told = []
        for name, value in values.items():
            before = getattr(rule, name)
            if before != value:
                told.append(f"{name} {before!s} → {value!s}")
                setattr(rule, name, value)
        rule.full_clean(validate_unique=False)
        if told:
            rule.save()
            note(rule, CHANGE, by, f"Over the API: {'; '.join(told)}.")
    apply()
    return rule


def remove(slug: str, by: uuid.UUID) -> None:
    """With its closed periods and their final ranks; points stay. Raises Problem not-found."""
    with transaction.atomic():
        rule = locked(slug)
        note(rule, DELETION, by, "Over the API.")
        rule.delete()


def locked(slug: str) -> Board:
    rule = Board.objects.select_for_update(no_key=True).filter(slug=slug).first()
    if rule is None:
        raise Problem("not-found", "There is no such board.")
    return rule


def taken(slug: str) -> Problem:
    return Problem("slug-taken", f"There is a board {slug} already.")


def note(rule: Board, what: int, by: uuid.UUID, message: str) -> None:
    """One line of the admin log, committed with the act."""
    LogEntry.objects.log_actions(by, [rule], what, message, single_object=True)


def apply() -> None:
    """After the commit: fills what a rule has opened, here where that takes a moment, otherwise by the worker.

    Until then such a board is being counted, and says so.
    """
    with connection.cursor() as cursor:
        cursor.execute(SMALL, [SMALL_BYTES])
        [small] = cursor.fetchone()
    if small:
        periods.fill_all()
        return
    try:
        broker.hand_over(KEEP_BOARDS, expires=60)
    except broker.BrokerAway as error:  # the worker's own round finds it
        log.warning("boards_not_handed_over", error=str(error))


def sentences(error: ValidationError) -> dict[str, list[str]]:
    """By field of the model; of constraints those that they are about."""
    found = {field: list(said) for field, said in error.message_dict.items()}
    general = found.pop("__all__", [])
    for sentence in general:
        about = next((field for field, said in CONSTRAINTS.items() if sentence in said), "slug")
        found.setdefault(about, []).append(sentence)
    return found


CONSTRAINTS = {
    field: [
        str(constraint.violation_error_message) for constraint in Board._meta.constraints if constraint.name in names
    ]
    for field, names in {
        "window": ("boards_days", "boards_fixed"),
        "closes_at": ("boards_open",),
        "freeze_at": ("boards_freeze",),
        "attribute_value": ("boards_attribute",),
    }.items()
}
