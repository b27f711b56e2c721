"""Celery tasks of the read side. All are idempotent; running one twice, or two at once, does no harm."""

import structlog
from celery import shared_task

from leaderboard import boards, ranking, tidy
from leaderboard import reconcile as reconciliation
from leaderboard import sweep as sweeping
from leaderboard.reconcile_lock import Busy

log = structlog.get_logger(__name__)


@shared_task(name="leaderboard.tasks.sweep")
def sweep() -> None:
    """Every 10 s: what a crash left behind, healed."""
    asked = boards.everyone()
    try:
        for board, swept in zip(asked, sweeping.sweep_all(asked), strict=True):
            if isinstance(swept, Busy):
                log.warning("sweep_postponed", board=board.slug, error=str(swept))
    except ranking.Unavailable as error:
        log.warning("sweep_postponed", error=str(error))


@shared_task(name="leaderboard.tasks.reconcile")
def reconcile() -> None:
    """Nightly: everything compared, drift repaired. Drift is logged as an error: it should not happen."""
    for board in boards.everyone():
        try:
            report = reconciliation.reconcile(board)
        except (ranking.Unavailable, Busy) as error:
            log.warning("reconcile_skipped", board=board.slug, error=str(error))
            continue
        if report.drift:
            log.error("drift_found", board=board.slug, repaired=report.repaired, lost=report.lost, **report.found)


@shared_task(name="leaderboard.tasks.tidy_boards")
def tidy_boards() -> None:
    """Nightly: what boards that are gone left behind in Redis."""
    try:
        if removed := tidy.tidy():
            log.info("boards_tidied", keys=removed)
    except ranking.Unavailable as error:
        log.warning("boards_not_tidied", error=str(error))
