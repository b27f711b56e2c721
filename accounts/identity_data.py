"""What `accounts` holds about one person, and how it is erased: the identity goes, for good, and the ledger stays.

The export is without what would let its reader act as that person: hashes of passwords, tokens, session keys, secrets
of the second factor. What is left after an erasure is a row with a random name that belongs to no person. Each step can
be repeated.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import attempts, players, visibility
from accounts.models import LOCAL, ApiKey, AuditLog, BannedPlayer, SignUpAddress, User

IDENTITY = (
    *("id", "provider", "external_id", "username", "display_name", "email", "avatar_url", "region", "attributes"),
    *("role", "is_active", "is_hidden", "opted_out", "is_staff", "is_superuser"),
    *("date_joined", "last_login", "email_confirmed_at", "erased_at"),
)


REFUSAL = ("kind", "reason", "detail", "action_type", "request_id", "address", "first_at", "last_at", "count")


class StillSuperuser(Exception):
    """A superuser is not erased by one command; the sentence says what comes first."""


def anonymise(user_id: uuid.UUID) -> bool:
    """Takes the identity off the row, and the player off every board at once; False when that was done before.

    Committed by itself, before anything else is cleared: from here on nothing new is made in this person's name. Raises
    StillSuperuser. Of a banned player of another site a keyed hash of the id stays, so that the id cannot start anew.
    """
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user_id)
        if user.is_superuser:
            raise StillSuperuser(f"{user} is a superuser: take that away in admin first.")
        if user.erased_at is not None:
            return False
        replacement, now = uuid.uuid4().hex, timezone.now()
        if user.external_id is not None and not user.is_active:
            BannedPlayer.objects.get_or_create(digest=players.digest(user.provider, user.external_id))
        user.username = f"erased-{replacement}"
        user.email = f"{replacement}@erased.invalid" if user.provider == LOCAL else ""
        user.external_id, user.attributes = None, {}
        user.display_name = user.avatar_url = user.region = ""
        user.set_unusable_password()
        user.email_confirmed_at, user.session_key = None, uuid.uuid4()
        user.role = User.Role.PLAYER
        user.is_active, user.is_hidden = False, True
        user.last_login, user.date_joined, user.erased_at = None, now, now
        user.save()
        visibility.announce([user_id])
    return True


def export(user: User) -> dict[str, Any]:
    """Keyed by what it is; values JSON can hold once dates and ids are written as text."""
    return {
        "identity": User.objects.filter(pk=user.pk).values(*IDENTITY).get()
        | {
            "groups": list(user.groups.values_list("name", flat=True)),
            "permissions": list(user.user_permissions.values_list("codename", flat=True)),
        },
        "sign_up_address": SignUpAddress.objects.filter(pk=user.pk).values("digest", "created_at").first(),
        "sign_in_addresses": [
            {"digest": digest, "last_at": datetime.fromtimestamp(at, UTC)}
            for digest, at in attempts.known(user.pk).items()
        ],
        "sessions": [{"expires_at": at} for at in user.sessions.values_list("expire_date", flat=True)],
        "sign_ins": list(
            user.sign_ins.order_by("created_at").values("id", "created_at", "last_used_at", "expires_at", "ended_at")
        ),
        "second_factor": [
            {"kind": model._meta.model_name, **device}
            for model in (TOTPDevice, StaticDevice)
            for device in model.objects.filter(user=user).values("created_at", "last_used_at")
        ],
        "api_keys": list(
            ApiKey.objects.filter(created_by=user).values("id", "name", "prefix", "created_at", "revoked_at")
        ),
        "refusals": list(AuditLog.objects.filter(user=user).order_by("first_at", "id").values(*REFUSAL)),
        # Of attempts by others: where those came from is about them.
        "refusals_about": list(
            AuditLog.objects.filter(subject=user)
            .exclude(user=user)
            .order_by("first_at", "id")
            .values("kind", "reason", "first_at", "last_at", "count")
        ),
        "admin_log": {
            "about": log_entries(log_about(user.pk)),
            # Without whom it was about: that is another person's data.
            "by": list(LogEntry.objects.filter(user=user).order_by("id").values("action_time", "content_type__model")),
        },
    }


def erase(user_id: uuid.UUID) -> None:
    """Everything that names or describes an anonymised person. Raises RedisError when Redis is away."""
    with transaction.atomic():
        user = User.objects.get(pk=user_id)
        user.groups.clear()
        user.user_permissions.clear()
        SignUpAddress.objects.filter(pk=user_id).delete()
        for model in (TOTPDevice, StaticDevice):
            model.objects.filter(user_id=user_id).delete()
        user.sign_ins.all().delete()
        user.sessions.all().delete()
        log_about(user_id).update(object_repr=user.username, change_message="")
        forget_refusals(user_id)
    attempts.forget(user_id)


def forget_refusals(user_id: uuid.UUID) -> None:
    """Deletes what the person was refused, and takes the person out of what others were.

    Locked in the order in which batches write, so that this waits for them and never in a circle.
    """
    concerned = AuditLog.objects.filter(Q(user_id=user_id) | Q(subject_id=user_id)).order_by("pk")
    ids = list(concerned.select_for_update().values_list("pk", flat=True))
    AuditLog.objects.filter(pk__in=ids, user_id=user_id).delete()
    AuditLog.objects.filter(pk__in=ids).update(subject=None)


def log_about(user_id: uuid.UUID) -> QuerySet[LogEntry]:
    """The admin log's lines about this person's row."""
    person = ContentType.objects.get_for_model(User)
    return LogEntry.objects.filter(content_type=person, object_id=str(user_id))


def log_entries(found: QuerySet[LogEntry]) -> list[dict[str, Any]]:
    return [{"at": entry.action_time, "what": entry.get_change_message()} for entry in found.order_by("id")]
