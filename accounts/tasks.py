"""Celery tasks of accounts."""

import structlog
from celery import shared_task
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts import addresses

log = structlog.get_logger(__name__)


@shared_task(name="accounts.tasks.purge_sign_ins")
def purge_sign_ins(chunk: int = 5000) -> int:
    """Deletes refresh tokens and sessions that have expired, in short transactions; returns how many."""
    purged = 0
    for purge in (purge_refresh_tokens, purge_sessions):
        last = chunk
        while last == chunk:
            last = purge(chunk)
            purged += last
    log.info("sign_ins_purged", count=purged)
    return purged


def purge_sessions(chunk: int) -> int:
    expired = Session.objects.filter(expire_date__lt=timezone.now()).order_by("expire_date")
    return Session.objects.filter(pk__in=list(expired.values_list("pk", flat=True)[:chunk])).delete()[0]


def purge_refresh_tokens(chunk: int) -> int:
    """The oldest rows first, by key: there is no index on when they expire, and they expire about in that order."""
    expired = OutstandingToken.objects.filter(expires_at__lt=timezone.now()).order_by("pk")
    ids = list(expired.values_list("pk", flat=True)[:chunk])
    with transaction.atomic():
        BlacklistedToken.objects.filter(token_id__in=ids).delete()
        OutstandingToken.objects.filter(pk__in=ids).delete()
    return len(ids)


@shared_task(name="accounts.tasks.purge_sign_up_addresses")
def purge_sign_up_addresses() -> None:
    """Nightly: sign-up addresses are kept no longer than promised."""
    log.info("sign_up_addresses_purged", count=addresses.purge())
