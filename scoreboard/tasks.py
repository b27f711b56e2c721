"""Celery tasks of the write side. Idempotent; running one twice, or two at once, does no harm."""

import structlog
from celery import shared_task
from django.db import InterfaceError, OperationalError

from scoreboard import checkpoints, periods

log = structlog.get_logger(__name__)


@shared_task(name="scoreboard.tasks.keep_boards")
def keep_boards() -> None:
    """Every 10 s, and when a board was edited: periods are made ahead of their time, filled and closed."""
    try:
        periods.keep()
    except (OperationalError, InterfaceError) as error:
        log.warning("boards_postponed", error=str(error).strip())


@shared_task(name="scoreboard.tasks.keep_checkpoints")
def keep_checkpoints() -> None:
    """Every 10 s: what boards as of a past instant are counted from."""
    try:
        checkpoints.keep()
    except (OperationalError, InterfaceError) as error:
        log.warning("checkpoints_postponed", error=str(error).strip())


@shared_task(name="scoreboard.tasks.purge_standings")
def purge_standings() -> None:
    """Nightly: what boards that are gone left behind."""
    periods.purge_stray()


@shared_task(name="scoreboard.tasks.check_checkpoint")
def check_checkpoint() -> None:
    """Nightly: one of them is what the whole history says."""
    checkpoints.check()
