"""Celery tasks of actions."""

import uuid
from typing import Any

import structlog
from celery import Task, shared_task
from celery.exceptions import Reject
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from accounts import purging
from actions import queue

log = structlog.get_logger(__name__)

# `purge_after` is a day after expiry, so that a late repeat still meets its row (later the history answers for it), or
# when the token counts against no limit any more. Kept as long as queued work is to spend it, waiting or dead: the row
# is what a promise is paid from. MATERIALIZED: run again for each row, LIMIT would pick other rows each time. NOT IN is
# looked up by hash; by NOT EXISTS, with old statistics, each row is compared with each promise.
PURGE = """
WITH promised AS MATERIALIZED (
    SELECT (item->'claims'->>'action_id')::uuid AS id
      FROM queued_work w CROSS JOIN jsonb_array_elements(w.submissions) AS item
     WHERE w.state IN ('queued', 'dead') AND item ? 'claims'
), old AS MATERIALIZED (
    SELECT t.id FROM action_tokens t
     WHERE t.purge_after < now()
       AND t.id NOT IN (SELECT p.id FROM promised p)
     ORDER BY t.purge_after LIMIT %s FOR UPDATE SKIP LOCKED
)
DELETE FROM action_tokens USING old WHERE action_tokens.id = old.id
"""


@shared_task(name="actions.tasks.purge_tokens")
def purge_tokens(chunk: int = 5000) -> int:
    """Deletes tokens that nothing asks for any more, in short transactions; returns how many."""
    purged = purging.in_chunks(lambda: purge_some(chunk), chunk)
    log.info("tokens_purged", count=purged)
    return purged


def purge_some(most: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(PURGE, [most])
        return int(cursor.rowcount)


@shared_task(
    name=queue.TASK,
    bind=True,
    max_retries=None,
    acks_late=True,
    reject_on_worker_lost=True,
)
def redeem_queued(self: "Task[Any, Any]", work_id: str) -> None:
    """Redeems queued work; QUEUE_RETRY_SECONDS says when it is tried again, then comes the dead-letter queue."""
    try:
        queue.process(uuid.UUID(work_id))
    except Exception as error:
        retries, pauses = self.request.retries, settings.QUEUE_RETRY_SECONDS
        final = retries >= len(pauses)
        log.warning("queued_work_failed", work=work_id, attempt=retries + 1, final=final, error=repr(error))
        noted = note_failure(uuid.UUID(work_id), error, final=final)
        if not final:
            raise self.retry(exc=error, countdown=pauses[retries]) from error
        if noted:
            raise Reject(str(error), requeue=False) from error


def note_failure(work_id: uuid.UUID, error: Exception, *, final: bool) -> bool:
    """False while PostgreSQL is away: the row then still says "queued", and `resend` starts over with it."""
    try:
        queue.failed(work_id, repr(error), final=final)
    except (InterfaceError, OperationalError) as away:
        log.warning("queued_work_not_noted", work=str(work_id), error=str(away).strip())
        return False
    return True


@shared_task(name="actions.tasks.resend_queued")
def resend_queued() -> None:
    """Every half minute: queued work whose message was lost goes to the broker again; old answers are forgotten."""
    resent = queue.resend()
    if resent:
        log.warning("queued_work_resent", count=resent)
    queue.purge()
