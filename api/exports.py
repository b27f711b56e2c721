"""Exports: all rows of a query as a file, CSV or JSON, however many there are.

PostgreSQL runs the query at once and keeps the result for a cursor WITH HOLD, so that all rows are of one moment, a
client that reads slowly keeps no snapshot open, and a few thousand rows are in memory here.
"""

import csv
import io
import json
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

CHUNK = 2000  # rows fetched and encoded at a time
SECONDS = 120  # that the query may take
FORMATS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
# What makes a spreadsheet take a text for a formula; the last four are the full-width forms.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Rows = Iterable[Sequence[Any]]


def response(
    name: str,
    extension: str,
    columns: Sequence[str],
    query: tuple[str, Any],
    row: Callable[[Sequence[Any]], Sequence[Any]] | None = None,
) -> StreamingHttpResponse:
    """The file `name-date.extension`, one of FORMATS. `query`: SQL, and its parameters, that selects `columns`, or what
    `row` makes these of.

    Raises OperationalError before anything is sent; a stream that breaks off later ends without its proper end.
    """
    found = Selection(*query)
    return StreamingHttpResponse(
        Pieces(ENCODERS[extension](columns, map(row, found) if row else found), found.close),
        content_type=FORMATS[extension],
        headers={
            "Content-Disposition": f'attachment; filename="{name}-{timezone.now():%Y-%m-%d}.{extension}"',
            "Cache-Control": "no-store",
        },
    )


def selected(found: QuerySet[Any], columns: Iterable[str]) -> tuple[str, Any]:
    """The query of these columns, fields or annotations of a query set, in its order."""
    try:
        sql, parameters = found.values_list(*columns).query.sql_with_params()
    except EmptyResultSet:  # no row can fit its filters, so Django makes no SQL of it
        return "SELECT WHERE false", ()
    return sql, parameters


class Selection:
    """The rows of a query, which has run when this is made. To be closed, read or not: the cursor outlives the
    transaction."""

    def __init__(self, sql: str, parameters: Any) -> None:
        self.name = f"export_{uuid.uuid4().hex}"
        connection.ensure_connection()
        # COMMIT is what runs it, and statement_timeout does not bound what COMMIT does.
        watchdog = threading.Timer(SECONDS, connection.connection.cancel_safe)
        watchdog.start()
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"DECLARE {self.name} NO SCROLL CURSOR WITH HOLD FOR {sql}", parameters)
        finally:
            watchdog.cancel()

    def __iter__(self) -> Iterator[Sequence[Any]]:
        while found := self.fetch():
            yield from found

    def fetch(self) -> list[Sequence[Any]]:
        with connection.cursor() as cursor:
            cursor.execute(f"FETCH {CHUNK} FROM {self.name}")
            found: list[Sequence[Any]] = cursor.fetchall()
        return found

    def close(self) -> None:
        with suppress(DatabaseError, InterfaceError), connection.cursor() as cursor:  # with the connection it is gone
            cursor.execute(f"CLOSE {self.name}")


class Pieces:
    """The body of the answer, which Django closes with it."""

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], None]) -> None:
        self.pieces = pieces
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces


def as_csv(columns: Sequence[str], found: Rows) -> Iterator[bytes]:
    """RFC 4180, with a line of names. Texts that a spreadsheet would run as a formula begin with an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for number, row in enumerate(found, start=1):
        writer.writerow([harmless(plain(value)) for value in row])
        if number % CHUNK == 0:
            yield taken(buffer)
    yield taken(buffer)


def taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def as_json(columns: Sequence[str], found: Rows) -> Iterator[bytes]:
    """The API's envelope, a row a line; texts are as they are stored."""
    lines = ['{"success":true,"data":[']
    for number, row in enumerate(found):
        fields = dict(zip(columns, map(plain, row), strict=True))
        lines.append(f"{',' * (number > 0)}{json.dumps(fields, ensure_ascii=False)}")
        if len(lines) == CHUNK:
            yield ("\n".join(lines) + "\n").encode()
            lines = []
    yield "\n".join([*lines, "]}\n"]).encode()


def plain(value: Any) -> str | int | float | bool | None:
    """A value as JSON has it: times in UTC as everywhere in the API."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


ENCODERS: dict[str, Callable[[Sequence[str], Rows], Iterator[bytes]]] = {"csv": as_csv, "json": as_json}
