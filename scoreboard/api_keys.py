"""API keys of trusted back ends. A key is shown once; the database keeps its SHA-256: enough for 256 random bits.

Format: `sb_<prefix>_<secret>`; the prefix finds the row and is safe to show, the secret proves.
"""

import hashlib
import hmac
import re
import secrets
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from api.throttles import parse

if TYPE_CHECKING:
    from scoreboard.models import User

TEXT = re.compile(r"sb_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
ROTATION_OVERLAP = timedelta(hours=24)
LAST_USED_STEP = timedelta(minutes=1)  # a busy key's row is written once a minute, not once a request


def validate_limit(text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class ApiKey(models.Model):
    """One key of one back end. Revoked and expired keys stay listed: the audit trail names them."""

    class Scope(models.TextChoices):
        MINT = "mint", "Mint action tokens for any player"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, help_text="Which back end uses it.")
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope))
    limit = models.CharField(
        max_length=40, default="6000/minute", validators=[validate_limit], help_text="Such as 6000/minute, or off."
    )
    created_by = models.ForeignKey("scoreboard.User", models.PROTECT, null=True, editable=False, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} (sb_{self.prefix}_…)"

    @property
    def usable(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


def issue(
    name: str, scopes: list[str], *, created_by: "User | None" = None, limit: str = "6000/minute"
) -> tuple[ApiKey, str]:
    """Makes a key; returns it and its text, which exists nowhere else afterwards."""
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = ApiKey(name=name, prefix=prefix, digest=digest(secret), scopes=scopes, limit=limit, created_by=created_by)
    key.full_clean(exclude=["created_by"])
    key.save(force_insert=True)
    return key, f"sb_{prefix}_{secret}"


def rotate(key: ApiKey, *, created_by: "User | None" = None) -> tuple[ApiKey, str]:
    """A successor with the same rights; the old key works for another ROTATION_OVERLAP, at most.

    A key that was to end later than that ends then under its new text too. Raises ValueError for one that no longer
    works: it must not come back to life.
    """
    with transaction.atomic():
        old = ApiKey.objects.select_for_update().get(pk=key.pk)
        if not old.usable:
            raise ValueError(f"{old} is revoked or expired")
        successor, text = issue(old.name, list(old.scopes), created_by=created_by, limit=old.limit)
        end = timezone.now() + ROTATION_OVERLAP
        if old.expires_at is None or old.expires_at > end:
            successor.expires_at, old.expires_at = old.expires_at, end
            successor.save(update_fields=["expires_at"])
            old.save(update_fields=["expires_at"])
    return successor, text


def revoke(key: ApiKey) -> None:
    """At once and for good."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())


def find(text: str) -> ApiKey | None:
    """The usable key with this text, or None. Takes the same time for a wrong secret as for a right one."""
    match = TEXT.fullmatch(text)
    key = ApiKey.objects.filter(prefix=match[1]).first() if match else None
    if key is None or match is None or not hmac.compare_digest(key.digest, digest(match[2])) or not key.usable:
        return None
    stale = timezone.now() - LAST_USED_STEP
    if key.last_used_at is None or key.last_used_at < stale:
        ApiKey.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=stale), pk=key.pk).update(
            last_used_at=timezone.now()
        )
    return key


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
