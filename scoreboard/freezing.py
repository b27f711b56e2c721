"""Revealing frozen boards: what they have held back is played in its order, at a pace, the same for every viewer.

A step is a transaction that lets the next entries count and raises the versions of their players, so that it reaches
the boards in Redis and every screen as a score does, and by the sweep if this process ends in between.
"""

import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from django.contrib.admin.models import CHANGE
from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction
from django.db.models import QuerySet

from api.problems import Problem
from scoreboard import board_rules, ledger, periods
from scoreboard.models import Board, BoardPeriod, BoardReveal

log = structlog.get_logger(__name__)

PACES = (0.5, 60.0)  # seconds between two steps
MAX_CHANGES = 1000  # entries of one step
POLL_SECONDS, IDLE_SECONDS = 0.1, 1.0
ALIKE_AT_ONCE = 500  # players whose totals are locked together
NO_LIMIT = datetime(9999, 1, 1, tzinfo=UTC)  # from here on everything counts, as it does for the truth

BEGIN = """
INSERT INTO board_reveals (board_id, pace, changes, until, next_at)
VALUES (%(board)s, %(pace)s, %(changes)s, %(until)s, %(until)s)
    ON CONFLICT (board_id) DO UPDATE SET pace = excluded.pace, changes = excluded.changes
"""
# Who moves `next_at` takes the step. A worker that ends before it has taken it costs its board one pace.
DUE = """
UPDATE board_reveals SET next_at = clock_timestamp() + pace * interval '1 second'
 WHERE board_id = (SELECT board_id FROM board_reveals WHERE next_at <= clock_timestamp() ORDER BY next_at LIMIT 1
                      FOR UPDATE SKIP LOCKED)
RETURNING board_id
"""
# A part that a player's new value opened while the reveal of the others ended holds back what no reveal will tell.
OVERTAKEN = """
INSERT INTO board_reveals (board_id, pace, changes, until, next_at)
SELECT b.id, %s, %s, clock_timestamp(), clock_timestamp() FROM boards b
 WHERE b.freeze_at = b.revealed
   AND EXISTS (SELECT FROM board_periods p
                WHERE p.board_id = b.id AND p.closed_at IS NULL AND p.counts_until IS NOT NULL)
    ON CONFLICT DO NOTHING
"""
REVEAL = "SELECT period_reveal(%s, %s, %s)"
UNLIKE = "SELECT period_unlike(%s, %s, %s)"


def reveal(board: Board, pace: float, changes: int = 1) -> None:
    """Has a worker play what the board holds back: `changes` entries every `pace` seconds. Again: another pace.

    Raises Problem invalid-request, also when the board is not frozen, and unavailable.
    """
    if not (PACES[0] <= pace <= PACES[1] and 1 <= changes <= MAX_CHANGES):
        said = f"Expected a pace of {PACES[0]} to {PACES[1]} seconds and 1 to {MAX_CHANGES} changes a step."
        raise Problem("invalid-request", said)
    begun = periods.clock()
    if not frozen(board).exists() or board.freeze_at is None or board.freeze_at > begun:
        raise Problem("invalid-request", "This board is not frozen: it holds nothing back.")
    # Every transaction that may still enter something earlier has ended: nothing comes later than its step.
    if not periods.settled():
        raise Problem("unavailable", "A transaction is open for long; try again.", headers={"Retry-After": "5"})
    with connection.cursor() as cursor:
        cursor.execute(BEGIN, {"board": board.pk, "pace": pace, "changes": changes, "until": begun})
    log.info("reveal_begun", board=board.slug, pace=pace, changes=changes)


def reveal_by(slug: str, by: uuid.UUID, pace: float, changes: int) -> None:
    """The same of the board with this slug, with a line in the admin log. Raises Problem not-found, too."""
    board = Board.objects.filter(slug=slug).first()
    if board is None:
        raise Problem("not-found", "There is no such board.")
    reveal(board, pace, changes)
    board_rules.note(board, CHANGE, by, f"Revealed over the API: {changes} changes every {pace} s.")


def frozen(board: Board) -> QuerySet[BoardPeriod]:
    return BoardPeriod.objects.filter(board=board, counts_until__isnull=False, closed_at=None).order_by("part", "pk")


def take_due() -> bool:
    """Takes the steps of one board that are due; whether there was one."""
    with connection.cursor() as cursor:
        cursor.execute(DUE)
        due = cursor.fetchone()
    if due is None:
        return False
    one = BoardReveal.objects.select_related("board").filter(pk=due[0]).first()
    if one is not None:
        step(one)
    return True


def find_overtaken() -> None:
    """Has what a reveal has left behind revealed as well."""
    with connection.cursor() as cursor:
        cursor.execute(OVERTAKEN, [PACES[0], MAX_CHANGES])


def step(one: BoardReveal) -> None:
    """The next of each part of the board. At the end of all it is shown as it is from there on."""
    for period in frozen(one.board):
        if period.filled_at is None:
            continue
        players = None
        if period.counts_until != NO_LIMIT:
            players = changed(REVEAL, period.pk, one.until, one.changes)
        if players is None:
            end(period)
        else:
            ledger.announce(ledger.standings(players), notify=True)
    if not frozen(one.board).exists():
        with transaction.atomic():
            Board.objects.filter(pk=one.board.pk, freeze_at=one.board.freeze_at).update(revealed=one.board.freeze_at)
            BoardReveal.objects.filter(pk=one.pk).delete()
        log.info("reveal_ended", board=one.board.slug)


def end(period: BoardPeriod) -> None:
    """What came after the revealing had begun; then the period is its own truth. Each step can be repeated.

    A board that is paused or changed meanwhile has other periods, under new ids: they are left as they are.
    """
    limited = BoardPeriod.objects.filter(pk=period.pk, counts_until__isnull=False)
    if not limited.update(counts_until=NO_LIMIT) or not periods.settled():
        return  # an entry may be on its way by the limit that was; the next visit sees it
    truth = BoardPeriod.objects.filter(board=period.board_id, part=period.part, key=period.key, truth=True).first()
    while truth and (players := changed(UNLIKE, period.pk, truth.pk, ALIKE_AT_ONCE)):
        ledger.announce(ledger.standings(players))
    with transaction.atomic():
        if limited.update(counts_until=None) and truth:
            truth.delete()


def changed(sql: str, *parameters: Any) -> Sequence[uuid.UUID] | None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(sql, parameters)
        players: Sequence[uuid.UUID] | None = cursor.fetchone()[0]
        return players


# --- the thread of `worker` -------------------------------------------------------------------------

_ended = threading.Event()


def start() -> None:
    """Has this process take steps from now on. A daemon: the steps that it leaves, another process takes."""
    threading.Thread(target=run, name="reveals", daemon=True).start()


def run() -> None:
    """No task of Celery: a step comes at its time, and not behind a queue."""
    pause = 0.0
    while not _ended.wait(pause):
        pause = once()


def once() -> float:
    """Returns the seconds until the next look."""
    try:
        close_old_connections()
        find_overtaken()
        while take_due():
            pass
        return POLL_SECONDS if BoardReveal.objects.exists() else IDLE_SECONDS
    except (OperationalError, InterfaceError) as error:
        log.warning("reveal_postponed", error=str(error).strip())
    except Exception:
        log.exception("reveal_failed")
    return IDLE_SECONDS
