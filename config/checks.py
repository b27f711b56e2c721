"""System checks of the settings: `manage.py check`, and every start, refuse what cannot work or is not safe."""

import ssl
import zlib
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from accounts import attributes
from accounts.identity import issuers
from actions import token_keys
from actions.models import MAX_POINTS
from api import redis_server, throttles
from api.postgresql import suitable
from api.postgresql.base import REQUIRED
from scoreboard.models import MAX_TOTAL

ZLIB_BYTES = 6  # of a compressed text that say nothing of it


@register()
def secrets(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """A secret that everyone knows signs nothing."""
    found: list[CheckMessage] = []
    if not settings.DEBUG and settings.SECRET_KEY == settings.DEVELOPMENT_SECRET:
        found.append(Error("SECRET_KEY is not set.", hint="Set it to 50 random characters.", id="scoreboard.E001"))
    named = {"SECRET_KEY": settings.SECRET_KEY.encode(), "JWT_SIGNING_KEY": settings.SIMPLE_JWT["SIGNING_KEY"].encode()}
    try:
        named |= {
            f"ACTION_TOKEN_KEYS: key {key.kid!r}": secret for key in token_keys.keys().values() if (secret := raw(key))
        }
    except ValueError as error:
        found.append(Error(str(error), id="scoreboard.E003"))
    for name, secret in named.items():
        if secret != settings.SECRET_KEY.encode() or name == "SECRET_KEY":
            found += weak(name, secret)
    return found


def weak(name: str, secret: bytes) -> list[CheckMessage]:
    """A secret that is short, or that packs into little because it repeats itself, can be guessed."""
    if len(secret) < 32:
        return [Error(f"{name} is shorter than 32 characters.", id="scoreboard.E002")]
    if len(zlib.compress(secret)) - ZLIB_BYTES < 24:  # 32 random characters, even of hexadecimal digits, take 30
        return [Error(f"{name} repeats itself; expected random characters.", id="scoreboard.E013")]
    return []


def raw(key: token_keys.SigningKey) -> bytes | None:
    """The secret of a key; None of a public one."""
    if isinstance(key.signing, bytes) or key.signing is None:
        return key.signing
    return key.signing.private_bytes_raw()


@register()
def authority(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Without it no connection would come about, and nothing would say why."""
    try:
        if settings.CA_FILE:
            ssl.create_default_context(cafile=settings.CA_FILE)
    except OSError as error:
        return [Error(f"CA_FILE, {settings.CA_FILE}, has no certificates: {error}", id="scoreboard.E012")]
    return []


@register()
def ranges(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Numbers that would make the site misbehave rather than fail."""
    bounds = {
        "LEADERBOARD_PUSH_INTERVAL_MS": (50, 60_000),
        "LEADERBOARD_EVICT_SECONDS": (1, 600),
        "LEADERBOARD_MAX_VIEWERS": (1, 1_000_000),
        "LEADERBOARD_MAX_VIEWERS_PER_ADDRESS": (0, 1_000_000),
        "ACTION_TIMESTAMP_WINDOW": (1, 86_400),
        "TRUSTED_PROXIES": (0, 10),
        "AUDIT_DAYS": (1, 3650),
        "HASHES_AT_ONCE": (1, 64),
        "HASHES_WAITING": (0, 1000),
        "APPROVE_TYPE_POINTS": (0, MAX_POINTS),
        "BONUS_DAILY": (0, MAX_TOTAL),
    }
    return [
        Error(f"{name} is {getattr(settings, name)}; expected {low} to {high}.", id="scoreboard.E005")
        for name, (low, high) in bounds.items()
        if not low <= getattr(settings, name) <= high
    ]


@register()
def sign_up(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """A word that is neither would leave the door in a state that the operator did not mean."""
    words = {"SIGN_UP": ("open", "closed"), "LOCAL_ACCOUNTS": ("on", "off")}
    return [
        Error(f"{name} is {getattr(settings, name)!r}; expected {' or '.join(known)}.", id="scoreboard.E019")
        for name, known in words.items()
        if getattr(settings, name) not in known
    ]


@register()
def session(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """What the site sets for each session of PostgreSQL would replace what the operator has written."""
    options = settings.DATABASES["default"]["OPTIONS"].get("options", "").lower().replace("-", "_")
    return [
        Error(f"DATABASE_URL sets {name} in its options; the site needs {value!r} and sets it.", id="scoreboard.E009")
        for name, value in REQUIRED.items()
        if name in options
    ]


@register()
def player_attributes(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """What cannot be read declares nothing."""
    try:
        attributes.declared()
    except ValueError as error:
        return [Error(f"PLAYER_ATTRIBUTES: {error}", id="scoreboard.E014")]
    return []


@register()
def viewer_keys(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """An issuer that cannot be read signs nobody in, and a secret of ours in a site's hands signs in anybody."""
    try:
        issuers_listed = issuers.parse(settings.VIEWER_KEYS)
    except ValueError as error:
        return [Error(f"VIEWER_KEYS: {error}.", id="scoreboard.E020")]
    found: list[CheckMessage] = []
    ours = (settings.SECRET_KEY, settings.SIMPLE_JWT["SIGNING_KEY"])
    for issuer in issuers_listed:
        for secret in issuer.secrets:
            name = f"VIEWER_KEYS: a secret of {issuer.issuer!r}"
            found += weak(name, secret.encode())
            if secret in ours:
                found.append(Error(f"{name} is one of this site's own.", id="scoreboard.E020"))
    return found


@register()
def queue(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Work that is never tried again, or for days, is lost in all but name."""
    pauses = settings.QUEUE_RETRY_SECONDS
    if 1 <= len(pauses) <= 10 and all(0 <= pause <= 600 for pause in pauses):
        return []
    message = f"QUEUE_RETRY_SECONDS is {pauses}; expected 1 to 10 numbers, each from 0 to 600."
    return [Error(message, id="scoreboard.E007")]


@register()
def limits(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """A limit that cannot be read would be no limit."""
    found: list[CheckMessage] = []
    for policy, text in settings.LIMITS.items():
        try:
            throttles.parse(text)
        except ValueError as error:
            name = f"LIMIT_{policy.upper().replace('-', '_')}"
            found.append(Error(f"{name}: {error}", id="scoreboard.E006"))
    return found


@register()
def watching(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Thresholds that would flag everybody, or let the watch read without end."""
    bounds = {
        "actions_per_minute": (0, 10_000),
        "regular_cv": (0, 0.3),  # people begin here
        "regular_long_cv": (0, 0.3),
        "instant_seconds": (0, 60),
        "tireless_hours": (0, 24),
        "outlier_players": (10, 1_000_000),
        "address_days": (1, settings.WATCH["address_retention_days"]),
        "bonus_points": (0, MAX_TOTAL),
        "bonus_share": (0.1, 1),
        "bonus_days": (1, 365),
        "hours": (1, 168),
        "players_per_run": (1, 100_000),
    }
    least = {
        "regular_run": 10,
        "regular_long_run": 30,
        "instant_run": 3,
        "outlier_z": 2,
        "address_accounts": 3,
        "address_crowd": 3,
        "bonus_times": 2,
    }
    wrong = [
        (name, f"{low} to {high}") for name, (low, high) in bounds.items() if not low <= settings.WATCH[name] <= high
    ]
    wrong += [(name, f"0 or at least {low}") for name, low in least.items() if 0 != settings.WATCH[name] < low]
    return [
        Error(f"WATCH_{name.upper()} is {settings.WATCH[name]}; expected {expected}.", id="scoreboard.E008")
        for name, expected in wrong
    ]


def enforce() -> None:
    """Raises ImproperlyConfigured when a check of this module finds an error.

    Servers load the application without `manage.py`, so Django itself would not run the checks for them.
    """
    errors = [
        *secrets(None),
        *authority(None),
        *ranges(None),
        *player_attributes(None),
        *sign_up(None),
        *viewer_keys(None),
        *session(None),
        *queue(None),
        *limits(None),
        *watching(None),
    ]
    said = [str(error.msg) for error in errors]
    if not said:
        said = [refusal for refusal in (suitable.refusal(), redis_server.refusal()) if refusal]
    if said:
        raise ImproperlyConfigured("; ".join(said))
