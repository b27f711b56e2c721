"""Celery tasks of events. Telling is the relay's, not theirs."""

import structlog
from celery import shared_task

from events import models

log = structlog.get_logger(__name__)


@shared_task(name="events.tasks.purge_deliveries")
def purge_deliveries() -> None:
    """Hourly: the log of deliveries is kept no longer than promised."""
    log.info("deliveries_purged", count=models.purge())
