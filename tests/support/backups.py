"""PostgreSQL backups of the tests' database, and what happens to it when they are restored."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection, connections

from tests.support.database import unguarded

TABLES = ("user_scores", "score_history")


@contextmanager
def copied_database() -> Iterator["CopiedDatabase"]:
    """A copy of the whole database as it is now; gone when the block is left."""
    backup = CopiedDatabase()
    try:
        yield backup
    finally:
        backup.close()


def administer(*statements: str) -> None:
    """By the rights of this run, in the database `postgres`."""
    parameters = {**connection.get_connection_params(), "dbname": "postgres"}
    known = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}
    with psycopg.connect(**known, autocommit=True) as administrator:
        for statement in statements:
            administrator.execute(statement)


class CopiedDatabase:
    def __init__(self) -> None:
        self.name = str(connection.settings_dict["NAME"])
        self.copy = f"{self.name}_backup"
        connections.close_all()
        # Nor may a thread of an earlier test be connected.
        others = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{self.name}'"
        administer(others, f'CREATE DATABASE "{self.copy}" TEMPLATE "{self.name}"')

    def restore(self) -> None:
        """The database is dropped, and the copy is put in its place, as createdb and pg_restore would."""
        connections.close_all()
        administer(f'DROP DATABASE "{self.name}" WITH (FORCE)', f'CREATE DATABASE "{self.name}" TEMPLATE "{self.copy}"')

    def close(self) -> None:
        administer(f'DROP DATABASE IF EXISTS "{self.copy}" WITH (FORCE)')


class CopiedTables:
    """A copy of scores and history inside the same database; `restore` loads it past every trigger."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS pg_temp.saved_users")
            cursor.execute("CREATE TEMP TABLE saved_users AS TABLE users")
            for table in TABLES:
                cursor.execute(f"DROP TABLE IF EXISTS pg_temp.saved_{table}")
                cursor.execute(f"CREATE TEMP TABLE saved_{table} AS TABLE {table}")

    def restore(self) -> None:
        with unguarded() as cursor:
            # First, because its trigger makes and raises rows of user_scores.
            cursor.execute(
                "UPDATE users u SET username = b.username, avatar_url = b.avatar_url, is_hidden = b.is_hidden,"
                " is_active = b.is_active FROM saved_users b WHERE b.id = u.id"
            )
            cursor.execute("TRUNCATE user_scores, score_history CASCADE")
            for table in TABLES:
                cursor.execute(f"INSERT INTO {table} TABLE saved_{table}")
