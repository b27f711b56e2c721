"""The cursor: what was committed since a reader's last visit, however late, and nothing passed over.

A timestamp cannot do that: a transaction can commit after a reader has passed its time by. So rows carry the number of
the transaction that wrote them, and a reader begins at the oldest transaction that was still open at its last visit:
nothing can be committed behind that. What was committed in between is read twice, so readers are idempotent.

A reader of standings keeps a mark of its own: it asks for `now()`, reads from `now.since(mark)` on, and then keeps
`str(now)`. A reader of the history keeps a snapshot: it takes a new one, and reads what this one sees and that one did
not (`first`, `entries`).
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from scoreboard.standing import COLUMNS, PLACES, Standing, standing_of

CHUNK = 1000  # rows fetched and judged at a time


@dataclass(frozen=True, slots=True)
class Recorded:
    """One entry of the history. The ids of one player's entries rise in the order of their commits."""

    id: int
    user_id: uuid.UUID
    action_id: uuid.UUID
    source: str
    action_type: str
    delta: int
    new_total: int
    version: int
    created_at: datetime
    value: int | None


RECORDED = ", ".join(field.name for field in fields(Recorded))

# The cluster, its start, the database and the table's file: transaction numbers of one mean nothing in another. A copy
# of the data folder put back, and a standby that took over, carry the cluster's number but started at another time;
# a dump loaded into the same database has another file.
NOW = """
SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
                 trunc(extract(epoch FROM pg_postmaster_start_time()) * 1000),
                 (SELECT oid FROM pg_database WHERE datname = current_database()),
                 pg_relation_filenode('user_scores')),
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       clock_timestamp()
"""
# The upper bound leaves out rows of a restored database whose transaction numbers lie in this one's future.
SINCE = f"""
SELECT {COLUMNS}, {PLACES} FROM player_standings
 WHERE changed_xid >= %s AND changed_xid < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""  # noqa: S608
# The same of every transaction that a snapshot taken earlier did not see.
UNSEEN = f"""
SELECT {COLUMNS}, {PLACES} FROM player_standings
 WHERE changed_xid >= pg_snapshot_xmin(%s::pg_snapshot)::text::bigint
   AND changed_xid < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
   AND NOT pg_visible_in_snapshot(changed_xid::text::xid8, %s::pg_snapshot)
"""  # noqa: S608
# A page at a time, for a reader that commits what it makes of each. Players on no board are left out.
SCORED = """
SELECT changed_xid, user_id FROM player_standings
 WHERE changed_xid >= %s AND changed_xid < %s AND (changed_xid, user_id) > (%s, %s) AND reached_at >= %s AND visible
 ORDER BY changed_xid, user_id LIMIT %s
"""
# The history between two snapshots: what the later one sees and the earlier one did not.
# `id + 0`: the lowest id by way of the index on transactions. By the primary key, the plan of a plain min(id), it would
# pass the whole history until the first entry that fits.
FIRST = """
SELECT min(id + 0) FROM score_history
 WHERE (changed_xid >= %(next)s OR changed_xid = ANY (%(open)s::bigint[]))
   AND pg_visible_in_snapshot(changed_xid::text::xid8, %(until)s::pg_snapshot)
"""
# Along the primary key: the next page never sorts, or reads again, what is behind it in a long window. `since` may be
# "", an earlier snapshot that saw nothing.
ENTRIES = f"""
SELECT {RECORDED}
  FROM score_history
 WHERE id > %(after)s AND pg_visible_in_snapshot(changed_xid::text::xid8, %(until)s::pg_snapshot)
   AND (%(since)s = '' OR NOT pg_visible_in_snapshot(changed_xid::text::xid8, nullif(%(since)s, '')::pg_snapshot))
 ORDER BY id LIMIT %(limit)s
"""  # noqa: S608
THESE = f"SELECT {RECORDED} FROM score_history WHERE id = ANY (%s) ORDER BY id"  # noqa: S608
# Which entries a snapshot may have missed although later ones were read: those of transactions that it saw open.
OPEN_THEN = "SELECT min(id + 0) FROM score_history WHERE changed_xid = ANY (%(open)s::bigint[])"
HERE = "SELECT system_identifier::text, pg_current_snapshot()::text FROM pg_control_system()"


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in transaction numbers.

    `source`: which database; `oldest`: the oldest transaction that may still be open; `next`: the first number not yet
    given out; `at`: PostgreSQL's clock.
    """

    source: str
    oldest: int
    next: int
    at: datetime

    def __str__(self) -> str:
        """As readers keep it."""
        return f"{self.source}:{self.oldest}"

    def since(self, kept: str | None) -> int | None:
        """Where a reader that kept this begins; None if it has to begin with everything.

        Because it kept nothing, or the mark of a database that a restored backup has replaced: its number belongs to
        another cluster, or lies in the future.
        """
        source, _, oldest = (kept or "").rpartition(":")
        known = source == self.source and oldest.isdecimal() and len(oldest) < 20 and int(oldest) <= self.next
        return int(oldest) if known else None


def now() -> Mark:
    """Read before, or in the same snapshot as, the rows it is to cover."""
    with connection.cursor() as cursor:
        cursor.execute(NOW)
        return Mark(*cursor.fetchone())


def standings(since: int) -> Iterator[list[Standing]]:
    """Standings whose version was raised by transaction `since` or a later one, in chunks."""
    for rows in stream(SINCE, [since]):
        yield [standing_of(row) for row in rows]


def scored(
    since: int, until: int, after: tuple[int, uuid.UUID], reached: datetime, limit: int
) -> list[tuple[int, uuid.UUID]]:
    """(transaction, player) of the next, in this order, whose standing transactions from `since` on and before `until`
    raised, and whose total was reached then or later."""
    with connection.cursor() as cursor:
        cursor.execute(SCORED, [since, until, *after, reached, limit])
        return list(cursor.fetchall())


def first(since: str, until: str) -> int | None:
    """The lowest id of the entries that snapshot `until` sees and `since` did not; None if there is none."""
    return scalar(FIRST, {**unseen(since), "until": until})


def entries(since: str, until: str, after: int, limit: int = CHUNK) -> list[Recorded]:
    """The next of the entries that snapshot `until` sees and `since` did not, with ids beyond `after`, in order of ids.

    For readers that send on what they read. A window between two snapshots that follow each other holds each entry
    once, however late it was committed, and waits for no transaction that is still open. Nor does it turn a player's
    entries round: the later one was written under the lock that the earlier one held until its commit, so it has the
    higher id, and a snapshot that sees it sees the earlier one. By transaction numbers it would not be so: a
    transaction gets its number before it waits for the lock.
    """
    parameters = {"since": since, "until": until, "after": after, "limit": limit}
    with unbounded() as cursor:
        cursor.execute(ENTRIES, parameters)
        return [Recorded(*row) for row in cursor.fetchall()]


def these(ids: Sequence[int]) -> list[Recorded]:
    """The entries with these ids, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(THESE, [list(ids)])
        return [Recorded(*row) for row in cursor.fetchall()]


def first_open(then: str) -> int | None:
    """The lowest id of the entries by transactions that were open at that snapshot; None if there is none."""
    return scalar(OPEN_THEN, unseen(then))


def unseen(snapshot: str) -> dict[str, Any]:
    """Which transactions a snapshot does not see: those that were `open`, and all from `next` on. As PostgreSQL writes
    it: "xmin:xmax:open,open". Told to the planner as numbers, of which it knows how few entries they have."""
    _, following, still = snapshot.split(":")
    return {"next": int(following), "open": [int(number) for number in still.split(",") if number]}


def newest() -> int:
    """The highest id of an entry that is committed; 0 if there is none."""
    return scalar("SELECT max(id) FROM score_history", {}) or 0


def here() -> tuple[str, str]:
    """Which cluster of PostgreSQL answers, and its snapshot of now. Snapshots of another one mean nothing here.

    Stand-bys, and backups restored with their log, belong to the same one, and a snapshot kept in a table comes back
    with the transactions that it speaks of. A dump loaded elsewhere does not.
    """
    with connection.cursor() as cursor:
        cursor.execute(HERE)
        cluster, snapshot = cursor.fetchone()
        return cluster, snapshot


def scalar(sql: str, parameters: dict[str, Any]) -> int | None:
    # With old statistics the whole table looks cheaper than the end of an index: a second for a look in vain.
    with unbounded("; SET LOCAL enable_seqscan = off") as cursor:
        cursor.execute(sql, parameters)
        found: int | None = cursor.fetchone()[0]
        return found


@contextmanager
def unbounded(besides: str = "") -> Iterator[Any]:
    """A cursor whose statement may take as long as a backlog of millions does."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = 0{besides}")
        yield cursor


def snapshot() -> str:
    """What is committed at this moment, for `standings_unseen_by`, `first` and `entries`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def standings_unseen_by(earlier: str) -> Iterator[list[Standing]]:
    """Standings that a transaction has raised which this snapshot did not see, in chunks."""
    for rows in stream(UNSEEN, [earlier, earlier]):
        yield [standing_of(row) for row in rows]


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
