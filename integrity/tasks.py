"""Celery tasks of integrity. Idempotent; two at once do no harm."""

import structlog
from celery import shared_task

from integrity import scan as scanning

log = structlog.get_logger(__name__)


@shared_task(name="integrity.tasks.scan")
def scan() -> None:
    """Every minute: the players who scored since the last time."""
    done = scanning.scan()
    if done.opened:
        log.info("flags_opened", players=done.players, **done.opened)
