"""One reconcile of a board at a time: a lock that PostgreSQL holds for as long as the session that took it lives.

Not in Redis, which is the one in doubt: a flush would free the lock, and an expiry has to be guessed. PostgreSQL frees
it the moment the holder is killed, and who has lost it has lost the connection that every further step needs.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection

from leaderboard.boards import Board

SPACE = 0x7265636F  # apart from advisory locks that others may take in this database

TRY = "SELECT pg_try_advisory_lock(%s, %s)"
RELEASE = "SELECT pg_advisory_unlock(%s, %s)"
HOLDER = """
SELECT pid FROM pg_locks
 WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND objsubid = 2 AND granted
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Busy(Exception):
    """Another process is reconciling the board."""


@contextmanager
def held(board: Board) -> Iterator[None]:
    """Holds the board's lock; raises Busy, with a sentence that says who has it, when another session does."""
    with connection.cursor() as cursor:
        cursor.execute(TRY, name(board))
        taken = cursor.fetchone()[0]
    if not taken:
        pid = holder(board)
        session = f" (PostgreSQL session {pid})" if pid else ""
        raise Busy(f"Another reconcile of board {board.slug} is running{session}; this one did nothing.")
    try:
        yield
    finally:
        release(board)


def holder(board: Board) -> int | None:
    """The process id of the PostgreSQL session that has the board's lock, None when it is free; takes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(HOLDER, name(board))
        found = cursor.fetchone()
    return found[0] if found else None


def name(board: Board) -> list[int]:
    """The two numbers the lock goes by in PostgreSQL."""
    return [SPACE, zlib.crc32(board.name.encode()) & 0x7FFFFFFF]


def release(board: Board) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(RELEASE, name(board))
    except (OperationalError, InterfaceError):
        pass  # the session is gone, and its lock with it
