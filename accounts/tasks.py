"""Celery tasks of accounts."""

from typing import Any

import structlog
from celery import Task, shared_task
from django.utils import timezone

from accounts import addresses, audit, mail, privacy, sign_in
from accounts.models import Session
from accounts.purging import purge

log = structlog.get_logger(__name__)


@shared_task(name="accounts.tasks.purge_sign_ins")
def purge_sign_ins(chunk: int = 5000) -> int:
    """Deletes sign-ins that have ended and sessions that have expired, in short transactions; returns how many."""
    purged = purge(sign_in.over(), chunk) + purge(Session.objects.filter(expire_date__lt=timezone.now()), chunk)
    log.info("sign_ins_purged", count=purged)
    return purged


@shared_task(name="accounts.tasks.purge_sign_up_addresses")
def purge_sign_up_addresses() -> None:
    """Nightly: sign-up addresses are kept no longer than promised."""
    log.info("sign_up_addresses_purged", count=addresses.purge())


@shared_task(name="accounts.tasks.purge_audit_log")
def purge_audit_log() -> None:
    """Hourly: refusals are kept for AUDIT_DAYS."""
    log.info("audit_log_purged", count=audit.purge())


@shared_task(name="accounts.tasks.finish_erasures")
def finish_erasures() -> None:
    """Hourly: what was out of reach when a player erased themselves."""
    privacy.finish_erasures()


# SMTPException is an OSError, like a mail server that is away.
@shared_task(bind=True, name=mail.CONFIRMATION, autoretry_for=(OSError,), retry_backoff=5, max_retries=4)
def mail_confirmation(task: "Task[Any, Any]", user_id: str, site: str) -> None:
    mail.send_confirmation(user_id, site, charged=bool(task.request.retries))


@shared_task(bind=True, name=mail.RESET, autoretry_for=(OSError,), retry_backoff=5, max_retries=4)
def mail_reset(task: "Task[Any, Any]", email: str, site: str) -> None:
    mail.send_reset(email, site, charged=bool(task.request.retries))
