"""After Redis failed this process: boards are shown from Redis again once they have what was committed meanwhile.

While Redis does not answer, scores count without it and readers get SQL's newer board. Redis comes back with the older
one, in the same epoch. So a process that missed a call (a read that SQL served, a write) sweeps the board first; until
that is done SQL serves.
"""

import threading
import time

import structlog
from django.db import InterfaceError, OperationalError
from django.db import connection as database

from api.redis_client import breaker
from leaderboard import ranking, reconcile, sweep
from leaderboard.boards import Board
from leaderboard.ranking.retry import misses

log = structlog.get_logger(__name__)

RETRY_SECONDS = 0.5  # between attempts

_none = misses.latest  # while this process has missed nothing
_made_up: dict[str, object] = {}  # board slug → the latest miss before its last sweep here
_sweeping = threading.Lock()
_tried_at = 0.0  # time.monotonic() of the last attempt


def caught_up(board: Board) -> bool:
    """Whether the board has all that this process may have missed. If not, a thread sees to it. Never waits."""
    if _made_up.get(board.slug, _none) is misses.latest:
        return True
    due = time.monotonic() >= _tried_at + RETRY_SECONDS
    if due and not breaker.is_open and _sweeping.acquire(blocking=False):
        # A daemon: what it leaves undone when the process ends, Celery's sweep does.
        threading.Thread(target=_catch_up, args=(board,), name="catch-up", daemon=True).start()
    return False


def demand(board: Board) -> None:
    """Raises ranking.Unavailable unless the board has all that this process may have missed."""
    if not caught_up(board):
        raise ranking.Unavailable("Redis failed; what it missed is not on the board yet")


def _catch_up(board: Board) -> None:
    global _tried_at
    missed = misses.latest  # before SQL is read: what is missed from here on may not be in the answer
    try:
        sweep_or_renew(board)
        _made_up[board.slug] = missed
        log.info("caught_up", board=board.slug)
    except (ranking.Unavailable, reconcile.Busy) as error:
        log.warning("catch_up_postponed", board=board.slug, error=str(error))
    except Exception:
        log.exception("catch_up_failed", board=board.slug)
    finally:
        database.close()
        _tried_at = time.monotonic()
        _sweeping.release()


def sweep_or_renew(board: Board) -> None:
    """Without PostgreSQL, what was missed is not to be had. The board is shown as it is, under a new epoch."""
    try:
        sweep.sweep(board)
    except (OperationalError, InterfaceError) as error:
        epoch = ranking.adopt(board, gone_back=ranking.epoch(board) or "")
        log.warning("caught_up_without_sql", board=board.slug, epoch=epoch, error=str(error).strip())
