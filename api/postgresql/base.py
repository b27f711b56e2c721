"""What Django's backend leaves to the server: the session's settings, a connection that the server closed, fail-over.

A database of a provider, or a role in it, may come with any defaults. The site's SQL relies on READ COMMITTED (each
statement of a function sees what was committed while the one before it waited), psycopg on the formats of dates.
"""

import select
import time
from functools import cached_property
from types import TracebackType
from typing import Any

from django.db import OperationalError
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from psycopg import errors

from api.timing import timed

REQUIRED = {
    "default_transaction_isolation": "read committed",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "standard_conforming_strings": "on",
}
# A request never waits longer than this for SQL; reconcile raises it for itself. `options` of DATABASE_URL may say
# otherwise.
BOUNDS = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}
# Not by the start-up parameter `options`: that is the operator's, and poolers refuse it.
SET = """
SELECT count(set_config(wanted.name, wanted.value, false))
  FROM unnest(%s::text[], %s::text[], %s::boolean[]) AS wanted(name, value, required)
  JOIN pg_settings s ON lower(s.name) = wanted.name
 WHERE wanted.required OR s.source <> 'client'
"""
SETTINGS = [
    [*REQUIRED, *BOUNDS],
    [*REQUIRED.values(), *BOUNDS.values()],
    [True] * len(REQUIRED) + [False] * len(BOUNDS),
]


class ErrorWrapper(DatabaseErrorWrapper):
    """A server that refuses writes, because another one has become the primary, is away as far as a write can tell."""

    def __init__(self, wrapper: "DatabaseWrapper") -> None:
        super().__init__(wrapper)
        self.wrapper = wrapper

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(exc_value, errors.ReadOnlySqlTransaction):
            # The name in DATABASE_URL may lead to the new primary by now: connect anew for the next request.
            self.wrapper.close_at = time.monotonic()
            raise OperationalError(*exc_value.args).with_traceback(traceback) from exc_value
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute_wrappers.append(timed)

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        return ErrorWrapper(self)

    def init_connection_state(self) -> None:
        try:
            super().init_connection_state()
            with self.connection.cursor() as cursor:
                cursor.execute(SET, SETTINGS)
        except BaseException:
            self.close()  # half set up, it would be taken for a good one
            raise

    def is_usable(self) -> bool:
        """Asked once a request, so without a round trip: a server that closes a connection says so on it."""
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        if self.errors_occurred or poll.poll(0):
            return super().is_usable()
        return True
