"""Celery tasks of the watch. Idempotent; two at once do no harm."""

import structlog
from celery import shared_task

from actions.watch import patrol as patrolling
from scoreboard import addresses

log = structlog.get_logger(__name__)


@shared_task(name="actions.watch.patrol")
def patrol() -> None:
    """Every minute: whoever scored since the last time."""
    done = patrolling.patrol()
    if done.opened:
        log.info("flags_opened", players=done.players, **done.opened)


@shared_task(name="actions.watch.purge_addresses")
def purge_addresses() -> None:
    """Nightly: sign-up addresses are kept no longer than promised."""
    log.info("sign_up_addresses_purged", count=addresses.purge())
