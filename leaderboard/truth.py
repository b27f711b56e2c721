"""The boards from SQL: the fallback while Redis is away, the source of every rebuild, and the judge of every reconcile.

The order and the filter here are the definition; Redis's are made to equal them.
"""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from leaderboard.boards import Board
from leaderboard.ranking import Page, Row
from scoreboard.signals import Standing

STANDING_COLUMNS = """
s.user_id, s.total, s.version, s.reached_at, u.is_active AND NOT u.is_hidden, u.username, u.avatar_url, u.region
"""
SHOWN = "s.total > 0 AND u.is_active AND NOT u.is_hidden"
ORDER = "s.total DESC, s.reached_at, s.user_id DESC"
FROM = "FROM user_scores s JOIN users u ON u.id = s.user_id"

COUNT = f"SELECT count(*) AS players, max(s.reached_at) AS latest {FROM} WHERE {SHOWN}"
COLUMNS = "s.user_id, u.username, s.total, u.avatar_url, s.reached_at"
# One statement each, so that the lines, their ranks and the number of players come from one snapshot.
TOP = f"""
SELECT c.players, c.latest, t.* FROM ({COUNT}) c
  LEFT JOIN LATERAL (SELECT {COLUMNS} {FROM} WHERE {SHOWN} ORDER BY {ORDER} LIMIT %s OFFSET %s) t ON true
"""  # noqa: S608
AROUND = f"""
WITH ranked AS MATERIALIZED (
    SELECT {COLUMNS}, row_number() OVER (ORDER BY {ORDER}) AS rank {FROM} WHERE {SHOWN}
), me AS (SELECT rank FROM ranked WHERE user_id = %s)
SELECT c.players, c.latest, r.* FROM (SELECT count(*) AS players, max(reached_at) AS latest FROM ranked) c
  LEFT JOIN (SELECT ranked.* FROM ranked, me
              WHERE ranked.rank BETWEEN me.rank - %s AND me.rank + %s ORDER BY ranked.rank) r ON true
"""  # noqa: S608

# Everything whose version was raised by a transaction at or after `since`. The upper bound leaves out rows of
# a restored database whose transaction numbers lie in this one's future.
CHANGED = f"""
SELECT {STANDING_COLUMNS} {FROM}
 WHERE s.changed_xid >= %s AND s.changed_xid < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""
# The same of every transaction that a snapshot taken earlier did not see.
WRITTEN = f"""
SELECT {STANDING_COLUMNS} {FROM}
 WHERE s.changed_xid >= pg_snapshot_xmin(%s::pg_snapshot)::text::bigint
   AND s.changed_xid < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
   AND NOT pg_visible_in_snapshot(s.changed_xid::text::xid8, %s::pg_snapshot)
"""
# A page at a time, in key order: no snapshot is held for as long as a million players take, and every page is fresh.
# The bound stands for both tables: a merge join would otherwise read `users` from its start for every page.
PAGE = f"""
SELECT {STANDING_COLUMNS} {FROM}
 WHERE s.version > 0 AND s.user_id {{0}} %s AND u.id {{0}} %s ORDER BY s.user_id LIMIT %s
"""
SOME = f"SELECT {STANDING_COLUMNS} {FROM} WHERE s.version > 0 AND s.user_id = ANY (%s)"
KNOWN = "SELECT user_id::text FROM user_scores WHERE version > 0 AND user_id = ANY (%s)"
# The cluster, its start, the database and the table's file: transaction numbers of one mean nothing in another. A copy
# of the data folder put back, and a standby that took over, carry the cluster's number but started at another time;
# a dump loaded into the same database has another file.
SNAPSHOT = """
SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
                 trunc(extract(epoch FROM pg_postmaster_start_time()) * 1000),
                 (SELECT oid FROM pg_database WHERE datname = current_database()),
                 pg_relation_filenode('user_scores')),
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""

CHUNK = 1000  # rows fetched and judged at a time


@dataclass(frozen=True, slots=True)
class Watermark:
    """`source`: which database; `oldest`: the oldest transaction that may still be open; `next`: the first number not
    yet given out."""

    source: str
    oldest: int
    next: int

    def __str__(self) -> str:
        """As kept in Redis."""
        return f"{self.source}:{self.oldest}"

    def covers(self, swept: str) -> bool:
        """Whether a mark kept in Redis is an earlier one of this database. One of a database that a restored backup has
        replaced is not: its number belongs to another cluster, or lies in the future."""
        source, _, oldest = swept.rpartition(":")
        return source == self.source and oldest.isdecimal() and int(oldest) <= self.next


def top(board: Board, limit: int, offset: int = 0) -> Page:
    """As `ranking.top`, in the same order."""
    with connection.cursor() as cursor:
        cursor.execute(TOP, [limit, offset])
        found = cursor.fetchall()
    return page((*row, offset + position) for position, row in enumerate(found, start=1))


def around(board: Board, user_id: uuid.UUID, radius: int) -> Page:
    """As `ranking.around`, in the same order. Reads the whole board: only for while Redis is away."""
    with connection.cursor() as cursor:
        cursor.execute(AROUND, [user_id, radius, radius])
        return page(cursor.fetchall())


def page(found: Iterable[tuple[Any, ...]]) -> Page:
    """A Page from (players, latest, columns…, rank); without lines there is one row of NULL columns."""
    lines = list(found)
    players, latest = lines[0][:2]
    rows = [
        Row(rank, str(user_id), username, total, avatar or None, reached_at)
        for _, _, user_id, username, total, avatar, reached_at, rank in lines
        if user_id is not None
    ]
    return Page(None, None, latest.timestamp() if latest else 0.0, players, rows)


def watermark() -> Watermark:
    """Read before, or in the same snapshot as, the rows it is to cover."""
    with connection.cursor() as cursor:
        cursor.execute(SNAPSHOT)
        return Watermark(*cursor.fetchone())


def changed_since(oldest: int) -> Iterator[list[Standing]]:
    """Standings whose version was raised by transaction `oldest` or a later one, in chunks."""
    for rows in stream(CHANGED, [oldest]):
        yield [Standing(*row) for row in rows]


def snapshot() -> str:
    """What is committed at this moment, for `written_since`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def written_since(earlier: str) -> Iterator[list[Standing]]:
    """Standings that a transaction has raised which this snapshot did not see, in chunks."""
    for rows in stream(WRITTEN, [earlier, earlier]):
        yield [Standing(*row) for row in rows]


def everyone() -> Iterator[list[Standing]]:
    """Every standing there is, shown or not, in chunks. Whoever begins while it runs may or may not be among them."""
    last, comparison = uuid.UUID(int=0), ">="
    while standings := read(PAGE.format(comparison), [last, last, CHUNK]):
        yield standings
        last, comparison = standings[-1].user_id, ">"


def some(user_ids: list[uuid.UUID]) -> list[Standing]:
    return read(SOME, [user_ids]) if user_ids else []


def known(user_ids: list[uuid.UUID]) -> set[str]:
    """Those of them that have a standing."""
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, [user_ids])
        return {user_id for (user_id,) in cursor.fetchall()}


def read(sql: str, parameters: list[Any]) -> list[Standing]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [Standing(*row) for row in cursor.fetchall()]


def stream(sql: str, parameters: list[Any]) -> Iterator[list[tuple[Any, ...]]]:
    """Rows in chunks through a server-side cursor: all from one snapshot, and perhaps more than fit in memory."""
    with transaction.atomic():
        with connection.cursor() as settings_cursor:
            settings_cursor.execute("SET LOCAL statement_timeout = 0")
            settings_cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        with connection.chunked_cursor() as cursor:
            cursor.execute(sql, parameters)
            while rows := cursor.fetchmany(CHUNK):
                yield rows


def size() -> int:
    """How many standings `everyone` will yield."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM user_scores WHERE version > 0")
        return int(cursor.fetchone()[0])
