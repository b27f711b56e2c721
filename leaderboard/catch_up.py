"""After Redis failed this process: boards are shown from Redis again once they have what was committed meanwhile.

While Redis does not answer, scores count without it and readers get SQL's newer board. Redis comes back with the older
one, in the same epoch. So a process that missed a call (a read that SQL served, a write) sweeps the boards first; until
that is done SQL serves.
"""

import threading
import time

import structlog
from django.db import InterfaceError, OperationalError
from django.db import connection as database

from api.redis_client import breaker
from leaderboard import boards, ranking, sweep
from leaderboard.ranking.retry import misses
from leaderboard.reconcile_lock import Busy

log = structlog.get_logger(__name__)

RETRY_SECONDS = 0.5  # between attempts

_made_up = misses.latest  # the latest miss before its last sweep here; at first, that it has missed nothing
_sweeping = threading.Lock()
_tried_at = 0.0  # time.monotonic() of the last attempt


def caught_up() -> bool:
    """Whether the boards have all that this process may have missed. If not, a thread sees to it. Never waits."""
    if _made_up is misses.latest:
        return True
    due = time.monotonic() >= _tried_at + RETRY_SECONDS
    if due and not breaker.is_open and _sweeping.acquire(blocking=False):
        # A daemon: what it leaves undone when the process ends, Celery's sweep does.
        threading.Thread(target=_catch_up, name="catch-up", daemon=True).start()
    return False


def demand() -> None:
    """Raises ranking.Unavailable unless the boards have all that this process may have missed."""
    if not caught_up():
        raise ranking.Unavailable("Redis failed; what it missed is not on the boards yet")


def _catch_up() -> None:
    global _made_up, _tried_at
    missed = misses.latest  # before SQL is read: what is missed from here on may not be in the answer
    try:
        if sweep_or_renew():
            _made_up = missed
            log.info("caught_up")
    except ranking.Unavailable as error:
        log.warning("catch_up_postponed", error=str(error))
    except Exception:
        log.exception("catch_up_failed")
    finally:
        database.close()
        _tried_at = time.monotonic()
        _sweeping.release()


def sweep_or_renew() -> bool:
    """Returns whether every board was swept.

    One that another process rebuilds was not: what it is made of may be older than what was missed.
    Without PostgreSQL, what was missed is not to be had. The boards are shown as they are, under a new epoch.
    """
    asked = boards.everyone()
    try:
        return not any(isinstance(swept, Busy) or swept.lost for swept in sweep.sweep_all(asked))
    except (OperationalError, InterfaceError) as error:
        for board in asked:
            epoch = ranking.adopt(board, gone_back=ranking.epoch(board) or "")
            log.warning("caught_up_without_sql", board=board.slug, epoch=epoch, error=str(error).strip())
        return True
