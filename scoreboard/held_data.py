"""Everything the write side holds about one person, as JSON: for `manage.py export_user`.

Without what would let the reader act as that person (hashes of passwords, tokens, session keys, secrets of the second
factor), and without who else was involved: who gave a bonus or wrote an entry is about them.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from scoreboard import attempts
from scoreboard.models import ApiKey, Bonus, ScoreHistory, SignUpAddress, User, UserScore

IDENTITY = (
    *("id", "username", "email", "avatar_url", "region", "role", "is_active", "is_hidden", "is_staff", "is_superuser"),
    *("date_joined", "last_login", "erased_at"),
)
ENTRY = (
    *("id", "action_id", "source", "action_type", "delta", "old_total", "new_total", "reason", "request_id"),
    "created_at",
)


def held(user: User) -> dict[str, Any]:
    """Keyed by what it is; values JSON can hold once dates and ids are written as text."""
    return {
        "identity": User.objects.filter(pk=user.pk).values(*IDENTITY).get()
        | {
            "groups": list(user.groups.values_list("name", flat=True)),
            "permissions": list(user.user_permissions.values_list("codename", flat=True)),
        },
        "score": UserScore.objects.filter(pk=user.pk).values("total", "version", "reached_at").first(),
        "history": list(ScoreHistory.objects.filter(user=user).order_by("id").values(*ENTRY)),
        "bonuses_received": bonuses(Bonus.objects.filter(user_id=user.pk), "id", "points", "reason", "created_at"),
        "bonuses_given": bonuses(Bonus.objects.filter(actor=user), "id", "user_id", "points", "reason", "created_at"),
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


def bonuses(found: QuerySet[Bonus], *fields: str) -> list[dict[str, Any]]:
    return list(found.order_by("created_at").values(*fields))


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
