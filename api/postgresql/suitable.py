"""What a PostgreSQL must be for the site to be right on it, asked at start, and before `migrate` changes anything."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

OLDEST = 15
# Names that differ in capitals only are one name. tr_TR has another small I, C leaves Ö as it is.
CAPITALS, SMALL = "IÖЖΔ", "iöжδ"
ASK = """
SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),
       current_setting('transaction_isolation'), pg_backend_pid()
"""


@register(Tags.database)
def suitable(app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """`manage.py migrate` asks every check of the database first."""
    found = refusal() if databases else None
    return [Error(found, id="scoreboard.E010")] if found else []


def refusal() -> str | None:
    """The sentence for the operator of a database that does not do. None for one that does, and for one that is away:
    the start goes on, `/readyz` says so."""
    first, second = (connections.create_connection(DEFAULT_DB_ALIAS) for _ in range(2))
    try:
        version, encoding, isolation, session = ask(first, ASK)
        *_, other_session = ask(second, ASK)
        small = ask(first, "SELECT lower(%s)", CAPITALS)[0] if encoding == "UTF8" else ""
    except OperationalError:
        return None
    finally:
        first.close()
        second.close()
    name = first.settings_dict["NAME"]
    if version < OLDEST:
        return f"PostgreSQL is {version}; expected {OLDEST} or newer."
    if encoding != "UTF8":
        return f"The database {name} has the encoding {encoding}; expected UTF8: CREATE DATABASE … ENCODING 'UTF8'."
    if small != SMALL:
        return (
            f"The database {name} makes {small} of the capitals {CAPITALS}; expected {SMALL}, or two players could "
            "share a name: CREATE DATABASE … TEMPLATE template0 LOCALE 'C.UTF-8'."
        )
    if session == other_session:
        return (
            "DATABASE_URL leads to a pooler that gives one session of PostgreSQL to several clients (transaction or "
            "statement pooling); expected PostgreSQL itself, or a pooler in session mode."
        )
    if isolation != "read committed":
        return f"The isolation level is {isolation}; expected read committed."
    return None


def ask(connection: BaseDatabaseWrapper, sql: str, *parameters: Any) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return tuple(cursor.fetchone())
