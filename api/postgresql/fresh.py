"""A connection for one question, opened for it and closed after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections


@contextmanager
def fresh_cursor() -> Iterator[Any]:
    """For probes: a kept connection would wait for as long as PostgreSQL hangs, connecting has an end.

    Raises django.db.Error.
    """
    connection = connections.create_connection(DEFAULT_DB_ALIAS)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
