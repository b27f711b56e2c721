"""The periods of boards through time: made ahead, filled from the history, closed when they are over."""

import time
import uuid
from collections.abc import Iterator, Sequence

import structlog
from django.db import connection, transaction

from scoreboard import ledger
from scoreboard.models import Board, BoardPeriod

log = structlog.get_logger(__name__)

FILLED_AT_ONCE = 500  # players whose totals are locked together, for some milliseconds
PATIENCE_SECONDS = (
    5.0  # for transactions that may hold an entry of a period that is over; else the next visit closes it
)
POLL_SECONDS = 0.05

NEXT = "SELECT board_open_parts(b, NULL) FROM boards b WHERE b.id = %s AND NOT b.paused"
CLOSE = "SELECT period_close(p.id, b) FROM board_periods p JOIN boards b ON b.id = p.board_id WHERE p.id = %s"
FILL = "SELECT standings_fill(%s, %s, %s)"
FILLED = """
UPDATE board_periods SET filled_at = clock_timestamp() WHERE id = %s AND filled_at IS NULL AND closed_at IS NULL
"""
WRONG = "SELECT wrong, last FROM standings_wrong(%s, %s, %s)"
MEND = "SELECT * FROM standings_mend(%s, %s)"
ENDED = """
SELECT id FROM board_periods
 WHERE closed_at IS NULL AND filled_at IS NOT NULL AND ends_at <= clock_timestamp()
   AND NOT truth AND counts_until IS NULL ORDER BY ends_at, id
"""
STRAY = """
DELETE FROM standings s
 WHERE NOT EXISTS (SELECT FROM board_periods p WHERE p.id = s.period_id AND p.closed_at IS NULL)
   AND s.period_id IN (SELECT DISTINCT period_id FROM standings)
"""
SCORING = "SELECT scoring_transactions()"


def keep() -> None:
    """Everything that is due. Safe to repeat, and to run twice at once."""
    # Each in a transaction of its own: a period that begins in a minute is committed before it does.
    for board in Board.objects.filter(paused=False).order_by("pk").values_list("pk", flat=True):
        run(NEXT, board)
    fill_all()
    close_ended()


def fill_all() -> None:
    """Fills what was made over entries that are in the history already."""
    for period in BoardPeriod.objects.filter(filled_at=None, closed_at=None, board__paused=False).order_by("pk"):
        fill(period)


def fill(period: BoardPeriod) -> None:
    """Beside live traffic: an entry made meanwhile is counted by who makes it, or by us, who hold the player's total.

    Some players at a time, each time in a transaction of its own.
    """
    started, last = time.monotonic(), uuid.UUID(int=0)
    while last is not None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(FILL, [period.pk, last, FILLED_AT_ONCE])
            [last] = cursor.fetchone()
    if run(FILLED, period.pk):
        log.info("period_filled", period=period.pk, key=period.key, seconds=round(time.monotonic() - started, 3))


def close_ended() -> int:
    """Closes the periods that are over, and returns how many. A frozen one is closed once it is revealed.

    An entry belongs to a period by PostgreSQL's clock, read before its transaction commits. So every transaction that
    was open when the period was over must have ended.
    """
    with connection.cursor() as cursor:
        cursor.execute(ENDED)
        ended = [period for (period,) in cursor.fetchall()]
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


def scoring() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(SCORING)
        return {name for (name,) in cursor.fetchall()}


def wrong_standings(period: int) -> Iterator[list[uuid.UUID]]:
    """Players whose standing in an open period is not what the history says, a few hundred looked at at a time."""
    last: uuid.UUID | None = uuid.UUID(int=0)
    while last is not None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(WRONG, [period, last, FILLED_AT_ONCE])
            wrong, last = cursor.fetchone()
        if wrong:
            yield wrong


def mend(period: int, users: Sequence[uuid.UUID]) -> None:
    """Counts these players' standings in an open period anew, and tells the read side of those that were wrong."""
    with connection.cursor() as cursor:
        cursor.execute(MEND, [period, list(users)])
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
