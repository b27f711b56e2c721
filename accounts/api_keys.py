"""API keys of trusted back ends. A key is shown once; the database keeps its SHA-256: enough for 256 random bits.

Format: `sb_<prefix>_<secret>`; the prefix finds the row and is safe to show, the secret proves.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import BACK_END, SITE, ApiKey, User, default_limit
from accounts.names import cleaned

TEXT = re.compile(r"sb_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
ROTATION_OVERLAP = timedelta(hours=24)
COLUMNS = [field.attname for field in ApiKey._meta.concrete_fields]
FIND = f"""SELECT {", ".join(f'"{column}"' for column in COLUMNS)} FROM api_keys WHERE prefix = %s"""  # noqa: S608
NAMED = frozenset({ApiKey.Scope.BONUS, ApiKey.Scope.BOARDS})  # what such a key does has a name in the history and logs
LAST_USED_STEP = timedelta(minutes=1)  # a busy key's row is written once a minute, not once a request


def issue(
    name: str,
    scopes: list[str],
    *,
    created_by: User | None = None,
    limit: str | None = None,
    action_types: Sequence[str] = (),
    provider: str = SITE,
    actor: User | None = None,
) -> tuple[ApiKey, str]:
    """Makes a key; returns it and its text, which exists nowhere else afterwards.

    `limit`: None for LIMIT_KEY. `action_types`: what it may grant; empty: all that a back end may. `actor`: under which
    it gives bonuses and changes boards; None for one of its own. Raises ValidationError.
    """
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = ApiKey(
        name=name,
        prefix=prefix,
        digest=digest(secret),
        scopes=scopes,
        action_types=list(action_types),
        provider=provider,
        limit=default_limit() if limit is None else limit,
        created_by=created_by,
    )
    key.full_clean(exclude=["created_by", "actor"])
    with transaction.atomic():
        if NAMED.intersection(key.scopes):
            key.actor = actor or make_actor(key)
        key.save(force_insert=True)
    return key, f"sb_{prefix}_{secret}"


def make_actor(key: ApiKey) -> User:
    """Whom the history, the list of bonuses and the admin log name: a row that signs in nowhere and can have none."""
    user = User(
        provider=BACK_END,
        external_id=str(key.pk),
        username=f"ext:{key.pk.hex}",
        display_name=cleaned(str(key)),
        is_active=False,
        is_hidden=True,
    )
    user.set_unusable_password()
    user.save(force_insert=True)
    return user


def rotate(key: ApiKey, *, created_by: User | None = None) -> tuple[ApiKey, str]:
    """A successor with the same rights; the old key works for another ROTATION_OVERLAP, at most.

    A key that was to end later than that ends then under its new text too. Raises ValueError for one that no longer
    works: it must not come back to life.
    """
    with transaction.atomic():
        old = ApiKey.objects.select_for_update().get(pk=key.pk)
        if not old.usable:
            raise ValueError(f"{old} is revoked or expired")
        successor, text = issue(
            old.name,
            list(old.scopes),
            created_by=created_by,
            limit=old.limit,
            action_types=old.action_types,
            provider=old.provider,
            actor=old.actor,
        )
        end = timezone.now() + ROTATION_OVERLAP
        if old.expires_at is None or old.expires_at > end:
            successor.expires_at, old.expires_at = old.expires_at, end
            successor.save(update_fields=["expires_at"])
            old.save(update_fields=["expires_at"])
    return successor, text


def revoke(key: ApiKey) -> None:
    """At once and for good."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())


def usable() -> QuerySet[ApiKey]:
    """The keys that work; `ApiKey.usable` says it of one."""
    return ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None)


def find(text: str) -> ApiKey | None:
    """The usable key with this text, or None. Takes the same time for a wrong secret as for a right one."""
    match = TEXT.fullmatch(text)
    key = with_prefix(match[1]) if match else None
    if key is None or match is None or not hmac.compare_digest(key.digest, digest(match[2])) or not key.usable:
        return None
    stale = timezone.now() - LAST_USED_STEP
    if key.last_used_at is None or key.last_used_at < stale:
        ApiKey.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=stale), pk=key.pk).update(
            last_used_at=timezone.now()
        )
    return key


def with_prefix(prefix: str) -> ApiKey | None:
    """By SQL: to build the queryset would cost five times the query, at each call of a back end."""
    with connection.cursor() as cursor:
        cursor.execute(FIND, [prefix])
        row = cursor.fetchone()
    return ApiKey.from_db(connection.alias, COLUMNS, row) if row else None


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
