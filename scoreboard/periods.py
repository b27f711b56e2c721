"""The periods of boards through time: made ahead, filled from the history, closed when they are over."""

import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from django.db import connection, transaction

from scoreboard import changes, closing, ledger
from scoreboard.models import BoardPeriod

log = structlog.get_logger(__name__)

MENDED_AT_ONCE = 500  # players whose totals are locked together, for some milliseconds
PATIENCE_SECONDS = (
    5.0  # for transactions that may hold an entry of a period that is over; else the next visit closes it
)
POLL_SECONDS = 0.05

# Boards that `board_open` may have something to make for: neither their last period is there, nor one that begins later
# and ends as far ahead as it looks. Those with parts always: each part has its own.
UNOPENED = """
SELECT b.id FROM boards b, clock_timestamp() AS c(now)
 WHERE NOT b.paused
   AND (b.attribute_value = '*'
        OR NOT EXISTS (SELECT FROM board_periods p
                        WHERE p.board_id = b.id AND p.part = ''
                          AND (p.ends_at IS NOT DISTINCT FROM b.closes_at
                               OR p.starts_at > c.now AND p.ends_at > c.now + interval '8 days')))
 ORDER BY b.id
"""
NEXT = "SELECT board_open_parts(b, NULL) FROM boards b WHERE b.id = %s AND NOT b.paused"
CLOSE = "SELECT period_close(p.id, b) FROM board_periods p JOIN boards b ON b.id = p.board_id WHERE p.id = %s"
# Of everyone with an entry that counts, in one snapshot: the standing, and the version of the total that goes with it.
COUNTED = """
SELECT c::text, s.version FROM board_periods p JOIN boards b ON b.id = p.board_id
 CROSS JOIN LATERAL standings_of_history(p, b, NULL) c JOIN user_scores s ON s.user_id = c.user_id
 WHERE p.id = %s AND p.closed_at IS NULL
"""
FILL = "SELECT standings_fill(%s, %s::standings[], %s)"
FILLED = """
UPDATE board_periods SET filled_at = clock_timestamp() WHERE id = %s AND filled_at IS NULL AND closed_at IS NULL
"""
WRONG = "SELECT * FROM standings_wrong(%s)"
MEND = "SELECT * FROM standings_mend(%s, %s)"
ENDED = """
SELECT id FROM board_periods
 WHERE closed_at IS NULL AND filled_at IS NOT NULL AND ends_at <= clock_timestamp()
   AND NOT truth AND counts_until IS NULL ORDER BY ends_at, id
"""
STRAY = """
DELETE FROM standings s
 WHERE NOT EXISTS (SELECT FROM board_periods p WHERE p.id = s.period_id AND p.closed_at IS NULL)
"""
OPEN = "SELECT id FROM board_periods WHERE id = ANY (%s) AND closed_at IS NULL"
SCORING = "SELECT scoring_transactions()"


def keep() -> None:
    """Everything that is due. Safe to repeat, and to run twice at once."""
    # Each in a transaction of its own: a period that begins in a minute is committed before it does.
    for board in found(UNOPENED):
        run(NEXT, board)
    fill_all()
    close_ended()
    closing.tell()


def fill_all() -> None:
    """Fills what was made over entries that are in the history already.

    Transactions that began to score before a period was made known may not enter it, and are waited for.
    """
    due = list(BoardPeriod.objects.filter(filled_at=None, closed_at=None, board__paused=False).order_by("pk"))
    if not due or not settled():
        return
    for period in due:
        fill(period)


def fill(period: BoardPeriod) -> None:
    """Beside live traffic: one pass over the history, then some players at a time, each in a transaction of its own.

    Who scores meanwhile enters the period, and has another version than was counted: such a player is counted anew.
    """
    started, other = time.monotonic(), connection.copy()
    try:
        for counted in changes.stream(COUNTED, [period.pk]):
            with other.cursor() as cursor:
                cursor.execute(FILL, [period.pk, *map(list, zip(*counted, strict=True))])
    finally:
        other.close()
    if run(FILLED, period.pk):
        log.info("period_filled", period=period.pk, key=period.key, seconds=round(time.monotonic() - started, 3))


def close_ended() -> int:
    """Closes the periods that are over, and returns how many. A frozen one is closed once it is revealed.

    An entry belongs to a period by PostgreSQL's clock, read before its transaction commits. So every transaction that
    was open when the period was over must have ended.
    """
    ended = found(ENDED)
    if not ended or not settled():
        return 0
    closed = 0
    for period in ended:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(CLOSE, [period])
            [ranked] = cursor.fetchone() or [None]
        if ranked is not None:
            closed += 1
            log.info("period_closed", period=period, ranked=ranked)
    return closed


def settled() -> bool:
    """Waits until every transaction that is scoring now has ended; False if that takes too long."""
    before = scoring()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while before & scoring():
        if time.monotonic() > deadline:
            log.warning("scoring_not_settled", reason="a transaction from before is still open")
            return False
        time.sleep(POLL_SECONDS)
    return True


def clock() -> datetime:
    """PostgreSQL's, by which an entry belongs to a period."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        at: datetime = cursor.fetchone()[0]
        return at


def scoring() -> set[str]:
    return set(found(SCORING))


def still_open(periods: Sequence[int]) -> set[int]:
    """Those that are neither closed nor gone: SQL has their standings."""
    return set(found(OPEN, list(periods)))


def found(sql: str, *parameters: Any) -> list[Any]:
    """The one column of its rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [value for (value,) in cursor.fetchall()]


def wrong_standings(period: int) -> list[uuid.UUID]:
    """Players whose standing in an open period is not what the history says, in one snapshot."""
    return [user for rows in changes.stream(WRONG, [period]) for (user,) in rows]


def mend(period: int, users: Sequence[uuid.UUID]) -> None:
    """Counts these players' standings in an open period anew, and tells the read side of those that were wrong.

    Some at a time, each time in a transaction of its own.
    """
    for start in range(0, len(users), MENDED_AT_ONCE):
        with connection.cursor() as cursor:
            cursor.execute(MEND, [period, list(users[start : start + MENDED_AT_ONCE])])
            mended = [user for (user,) in cursor.fetchall()]
        ledger.announce(ledger.standings(mended))


def purge_stray() -> int:
    """Deletes the standings of boards that are gone: who scores while a board is deleted may still write one."""
    return run(STRAY)


def run(sql: str, *parameters: int) -> int:
    """How many rows it changed."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)
