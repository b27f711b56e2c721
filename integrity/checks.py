"""System checks of the detectors' thresholds."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from api.checks import SITE
from scoreboard.models import MAX_TOTAL


@register(SITE)
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
