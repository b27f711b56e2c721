"""What `accounts` holds about one person, and how it is erased: the identity goes, for good, and the ledger stays.

The export is without what would let its reader act as that person: hashes of passwords, tokens, session keys, secrets
of the second factor. What is left after an erasure is a row with a random name that belongs to no person. Each step can
be repeated.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts import attempts, visibility
from accounts.models import ApiKey, SignUpAddress, User

IDENTITY = (
    *("id", "username", "email", "avatar_url", "region", "role", "is_active", "is_hidden", "is_staff", "is_superuser"),
    *("date_joined", "last_login", "erased_at"),
)


class StillSuperuser(Exception):
    """A superuser is not erased by one command; the sentence says what comes first."""


def anonymise(user_id: uuid.UUID) -> bool:
    """Takes the identity off the row, and the player off every board at once; False when that was done before.

    Committed by itself, before anything else is cleared: from here on nothing new is made in this person's name. Raises
    StillSuperuser.
    """
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user_id)
        if user.is_superuser:
            raise StillSuperuser(f"{user} is a superuser: take that away in admin first.")
        if user.erased_at is not None:
            return False
        nobody, now = uuid.uuid4().hex, timezone.now()
        user.username, user.email = f"erased-{nobody}", f"{nobody}@erased.invalid"
        user.avatar_url = user.region = ""
        user.password = make_password(None)
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
        "sessions": [{"expires_at": session.expire_date} for session in sessions(user.pk)],
        "refresh_tokens": list(
            OutstandingToken.objects.filter(user=user)
            .order_by("id")
            .values("jti", "created_at", "expires_at", "blacklistedtoken__blacklisted_at")
        ),
        "second_factor": [
            {"kind": model._meta.model_name, **device}
            for model in (TOTPDevice, StaticDevice)
            for device in model.objects.filter(user=user).values("created_at", "last_used_at")
        ],
        "api_keys": list(
            ApiKey.objects.filter(created_by=user).values("id", "name", "prefix", "created_at", "revoked_at")
        ),
        "admin_log": {
            "about": log_entries(log_about(user.pk)),
            "by": log_entries(LogEntry.objects.filter(user=user)),
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
        # What they were signed under is gone with the password; the rows go because they name a person.
        OutstandingToken.objects.filter(user_id=user_id).delete()
        log_about(user_id).update(object_repr=user.username, change_message="")
    for session in sessions(user_id):
        Session.objects.filter(pk=session.pk).delete()
    attempts.forget(user_id)


def sessions(user_id: uuid.UUID) -> Iterator[Session]:
    """The user's rows among all there are: a session names its user only inside what it has signed."""
    for session in Session.objects.iterator(chunk_size=1000):
        if session.get_decoded().get("_auth_user_id") == str(user_id):
            yield session


def log_about(user_id: uuid.UUID) -> QuerySet[LogEntry]:
    """The admin log's lines about this person's row."""
    person = ContentType.objects.get_for_model(User)
    return LogEntry.objects.filter(content_type=person, object_id=str(user_id))


def log_entries(found: QuerySet[LogEntry]) -> list[dict[str, Any]]:
    return [
        {"at": entry.action_time, "what": entry.get_change_message(), "object": entry.object_repr}
        for entry in found.order_by("id")
    ]
