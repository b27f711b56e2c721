"""Emptying the test database after a test that committed."""

from functools import cache
from importlib import import_module

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import TransactionTestCase

from actions.models import ActionType

CATALOGUE = import_module("actions.migrations.0003_catalogue").CATALOGUE


@cache
def tables() -> list[str]:
    """Every table that tests write to."""
    kept = {ContentType._meta.db_table, Permission._meta.db_table}
    models = apps.get_models(include_auto_created=True)
    return sorted({model._meta.db_table for model in models if model._meta.managed} - kept)


def empty() -> None:
    """As after the migrations. By DELETE: on tables this small it takes milliseconds, where a TRUNCATE makes a new
    file for each table and index, and Django's flush creates all permissions anew."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE score_history DISABLE TRIGGER USER")
        for table in tables():
            cursor.execute(f'DELETE FROM "{table}"')
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a pending check would forbid the next statement
        cursor.execute("ALTER TABLE score_history ENABLE TRIGGER USER")
        ActionType.objects.bulk_create(ActionType(**entry) for entry in CATALOGUE)


def empty_instead_of_flush(case: TransactionTestCase) -> None:
    """TransactionTestCase._fixture_teardown."""
    empty()
