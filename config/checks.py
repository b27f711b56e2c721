"""System checks of the settings: `manage.py check`, and every start, refuse what cannot work or is not safe."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register, run_checks
from django.core.exceptions import ImproperlyConfigured

from actions.models import MAX_POINTS
from api import redis_server
from api.checks import SITE, weak
from api.postgresql import suitable
from api.postgresql.base import REQUIRED
from scoreboard.models import MAX_TOTAL

CONTACT = re.compile(r"(mailto:|https://)[!-~]+")
SITE_PATH = re.compile(r"(/[a-z0-9_-]+)+", re.IGNORECASE)


@register(SITE)
def secrets(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """A secret that everyone knows signs nothing."""
    found: list[CheckMessage] = []
    if not settings.DEBUG and settings.SECRET_KEY == settings.DEVELOPMENT_SECRET:
        found.append(Error("SECRET_KEY is not set.", hint="Set it to 50 random characters.", id="scoreboard.E001"))
    signing = settings.SIMPLE_JWT["SIGNING_KEY"]
    found += weak("SECRET_KEY", settings.SECRET_KEY.encode())
    return found if signing == settings.SECRET_KEY else [*found, *weak("JWT_SIGNING_KEY", signing.encode())]


@register(SITE)
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
        "QUEUE_WHEN_BUSY": (0, 10_000),
        "HASHES_AT_ONCE": (1, 64),
        "HASHES_WAITING": (0, 1000),
        "APPROVE_TYPE_POINTS": (0, MAX_POINTS),
        "BONUS_DAILY": (0, MAX_TOTAL),
        "WORKER_METRICS_PORT": (0, 65_535),
        "JWT_ACCESS_MINUTES": (0, 1440),  # 0: as long as the leeway
        "JWT_REFRESH_DAYS": (1, 365),
        "REDIS_TIMEOUT": (0.01, 60),
        "DATABASE_CONN_MAX_AGE": (0, 86_400),
    }
    return [
        Error(f"{name} is {getattr(settings, name)}; expected {low} to {high}.", id="scoreboard.E005")
        for name, (low, high) in bounds.items()
        if not low <= getattr(settings, name) <= high
    ]


@register(SITE)
def address(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Where the site is, as each link and cookie says it."""
    found: list[CheckMessage] = []
    if settings.SITE_PATH and not SITE_PATH.fullmatch(settings.SITE_PATH):
        message = f"SITE_PATH is {settings.SITE_PATH!r}; expected such as /scores, without a slash at its end."
        found.append(Error(message, id="scoreboard.E021"))
    if urlsplit(settings.SITE_URL).path.strip("/"):
        message = f"SITE_URL, {settings.SITE_URL}, has a path; expected scheme and host alone: SITE_PATH has the path."
        found.append(Error(message, id="scoreboard.E022"))
    for contact in settings.SECURITY_CONTACT:
        if not CONTACT.fullmatch(contact):
            message = f"SECURITY_CONTACT has {contact!r}; expected mailto:… or https://…."
            found.append(Error(message, id="scoreboard.E023"))
    return found


@register(SITE)
def servers(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Addresses of no server that the site can use. They hold passwords, so they are not shown."""
    return [
        Error(f"{name} is not the address of {server}.", id="scoreboard.E034")
        for name, (url, schemes, server) in {
            "REDIS_URL": (settings.REDIS_URL, ("redis", "rediss", "unix"), "a Redis; expected redis://host:6379/0"),
            "CELERY_BROKER_URL": (
                settings.CELERY_BROKER_URL,
                ("amqp", "amqps", "redis", "rediss", "redis+socket"),
                "a broker; expected amqp://user:password@host:5672// or redis://host:6379/0",
            ),
        }.items()
        if not readable(url, schemes)
    ]


def readable(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        split = urlsplit(url)
        database = split.path.strip("/") if split.scheme in ("redis", "rediss") else ""
        return split.scheme in schemes and split.port != 0 and (not database or database.isdecimal())
    except ValueError:  # of the port
        return False


@register(SITE)
def session(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """What the site sets for each session of PostgreSQL would replace what the operator has written."""
    options = settings.DATABASES["default"]["OPTIONS"].get("options", "").lower().replace("-", "_")
    return [
        Error(f"DATABASE_URL sets {name} in its options; the site needs {value!r} and sets it.", id="scoreboard.E009")
        for name, value in REQUIRED.items()
        if name in options
    ]


def enforce() -> None:
    """Raises ImproperlyConfigured when a check of the settings, of PostgreSQL or of Redis finds an error.

    Servers load the application without `manage.py`, so Django itself would not run the checks for them.
    """
    said = [str(error.msg) for error in run_checks(tags=[SITE])]
    if not said:
        said = [refusal for refusal in (suitable.refusal(), redis_server.refusal()) if refusal]
    if said:
        raise ImproperlyConfigured("; ".join(said))
