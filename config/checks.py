"""System checks of the settings: `manage.py check`, and every start, refuse what cannot work or is not safe."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from accounts import attributes
from actions import token_keys
from api import throttles


@register()
def secrets(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """A secret that everyone knows signs nothing."""
    found: list[CheckMessage] = []
    if not settings.DEBUG and settings.SECRET_KEY == settings.DEVELOPMENT_SECRET:
        found.append(Error("SECRET_KEY is not set.", hint="Set it to 50 random characters.", id="scoreboard.E001"))
    if len(settings.SECRET_KEY) < 32:
        found.append(Error("SECRET_KEY is shorter than 32 characters.", id="scoreboard.E002"))
    try:
        token_keys.keys()
    except ValueError as error:
        found.append(Error(str(error), id="scoreboard.E003"))
    return found


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
        "HASHES_AT_ONCE": (1, 64),
        "HASHES_WAITING": (0, 1000),
    }
    return [
        Error(f"{name} is {getattr(settings, name)}; expected {low} to {high}.", id="scoreboard.E005")
        for name, (low, high) in bounds.items()
        if not low <= getattr(settings, name) <= high
    ]


@register()
def sign_up(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """A word that is neither would leave the door in a state that the operator did not mean."""
    if settings.SIGN_UP in ("open", "closed"):
        return []
    return [Error(f"SIGN_UP is {settings.SIGN_UP!r}; expected open or closed.", id="scoreboard.E013")]


@register()
def player_attributes(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """What cannot be read declares nothing."""
    try:
        attributes.declared()
    except ValueError as error:
        return [Error(f"PLAYER_ATTRIBUTES: {error}", id="scoreboard.E014")]
    return []


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
    errors = [*secrets(None), *ranges(None), *player_attributes(None), *queue(None), *limits(None), *watching(None)]
    if errors:
        raise ImproperlyConfigured("; ".join(str(error.msg) for error in errors))
