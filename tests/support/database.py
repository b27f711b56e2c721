"""Emptying the test database after a test that committed."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.test import TransactionTestCase

from accounts.models import PlayerAttribute
from actions.models import ActionType

CATALOGUE = import_module("actions.migrations.0003_catalogue").CATALOGUE

ATTRIBUTES = import_module("accounts.migrations.0003_attributes").ATTRIBUTES

KEPT = (
    "score_history",
    "user_scores",
    "bonuses",
    "awards",
    "django_admin_log",
)  # a trigger refuses to remove their rows


@cache
def tables() -> list[str]:
    """Every table that tests write to."""
    kept = {ContentType._meta.db_table, Permission._meta.db_table}
    models = apps.get_models(include_auto_created=True)
    return sorted({model._meta.db_table for model in models if model._meta.managed} - kept)


@contextmanager
def unguarded() -> Iterator[CursorWrapper]:
    """A cursor of a transaction in which the tables that are never emptied can be; the triggers are back after it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in KEPT))
        yield cursor
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a pending check would forbid the next statement
        cursor.execute("; ".join(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in KEPT))


def without_scores() -> None:
    """No total and no history, however many there were."""
    with unguarded() as cursor:
        cursor.execute("TRUNCATE user_scores, score_history CASCADE")


def empty() -> None:
    """As after the migrations. By DELETE: on tables this small it takes milliseconds, where a TRUNCATE makes a new
    file for each table and index, and Django's flush creates all permissions anew.

    As a replica, for which no trigger runs and no foreign key is looked up: every table is emptied. Taking triggers
    away and giving them back would make every session plan its statements anew.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        deletes = "; ".join(f'DELETE FROM "{table}"' for table in tables())
        cursor.execute(f"SET LOCAL session_replication_role = replica; {deletes}")
        ActionType.objects.bulk_create(ActionType(**entry) for entry in CATALOGUE)
        PlayerAttribute.objects.bulk_create(PlayerAttribute(**entry) for entry in ATTRIBUTES)


def empty_instead_of_flush(case: TransactionTestCase) -> None:
    """TransactionTestCase._fixture_teardown."""
    empty()
