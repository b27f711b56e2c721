"""What the detectors speak about: plain data, no database."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.conf import settings
from django.db.models import TextChoices


class Detector(TextChoices):
    VELOCITY = "velocity", "Too many points a minute"
    REGULAR = "regular", "Inhumanly regular"
    INSTANT = "instant", "Always at the first possible instant"
    TIRELESS = "tireless", "No rest in a day"
    OUTLIER = "outlier", "Far beyond everybody else"
    ADDRESS = "address", "Many accounts from one address"
    BONUS_RING = "bonus-ring", "Bonuses among givers"
    BONUS_FAVOURITE = "bonus-favourite", "One giver's favourite"
    BONUS_GIVER = "bonus-giver", "A giver far above the others"


class Severity(TextChoices):
    """In alphabetical order from the least, so that the database can sort by it."""

    LOW = "1-low", "low"
    MEDIUM = "2-medium", "medium"
    HIGH = "3-high", "high"


SENTENCES: Mapping[str, str] = {
    Detector.VELOCITY: "{peak} points of {action_type} within a minute; {ceiling} is the most",
    Detector.REGULAR: "{intervals} intervals of {mean_seconds} s ± {deviation_seconds} s in a row",
    Detector.INSTANT: "{instant} of {redeemed} {action_type} redeemed within {margin_seconds} s of the first instant",
    Detector.TIRELESS: "active in {hours} of 24 hours",
    Detector.OUTLIER: "{gain} points in an hour; the median of {players} players is {median_gain} (z = {z})",
    Detector.ADDRESS: "{accounts} accounts signed up from one address within {days} days, {alike} with alike totals",
    Detector.BONUS_RING: "{points} points in {gifts} bonuses within {days} days to a user who gives, or is staff",
    Detector.BONUS_FAVOURITE: "{points} points in bonuses: {percent} % of what one giver gave within {days} days",
    Detector.BONUS_GIVER: "gave {points} points in bonuses within {days} days; the median of the others is {usual}",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One rewarded action of one player. Times are Unix seconds; `issued` and `not_before` are the token's."""

    history_id: int
    action_type: str
    points: int
    issued: float
    not_before: float
    redeemed: float


@dataclass(frozen=True, slots=True)
class Rule:
    """What the catalogue says of a type. `points`: the most that one is worth. `spacing`: seconds the server itself
    keeps between two of one player."""

    points: int
    spacing: float


@dataclass(frozen=True, slots=True)
class Account:
    """One account of an address. `flagged`: it has an open flag for that already."""

    user_id: Any
    total: int
    flagged: bool = False


Numbers = Mapping[str, int | float | str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One pattern found in one player. `numbers` fill the detector's sentence; `began` and `ended` are Unix seconds.

    It rests on `history_ids`, or, when it is about sign-ups, on `accounts`.
    """

    detector: Detector
    severity: Severity
    numbers: Numbers
    began: float
    ended: float
    history_ids: tuple[int, ...] = ()
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """settings.WATCH: from where on something is no longer honest play. 0 turns a detector off."""

    actions_per_minute: int  # of one type
    points_per_minute: Mapping[str, int]  # by type, instead of the above
    regular_run: int  # intervals in a row
    regular_cv: float  # their coefficient of variation, at most
    regular_long_run: int  # a longer run, over which people vary more surely …
    regular_long_cv: float  # … and bots are known by less
    instant_run: int  # redemptions of a type in a row
    instant_seconds: float  # after the first possible instant
    tireless_hours: int  # of 24
    outlier_z: float  # robust standard deviations on the log scale
    outlier_players: int  # fewer are no population
    address_accounts: int  # of one address, with alike totals
    address_crowd: int  # of one address, however different
    address_days: int  # between their sign-ups
    bonus_points: int  # in bonuses, to one player or by one giver: less is not looked at
    bonus_share: float  # of what a giver gives, to one player
    bonus_times: float  # the median of the other givers
    bonus_days: int  # looked back

    @classmethod
    def from_settings(cls) -> "Thresholds":
        return cls(**{field.name: settings.WATCH[field.name] for field in fields(cls)})
