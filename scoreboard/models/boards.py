"""Boards: rules over the ledger."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import available_timezones

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Now

from scoreboard import board_checks

GLOBAL = "global"
EACH = board_checks.EACH
MAX_ATTEMPTS = 10_000
SOURCES = ("action", "award", "bonus", "adjustment")  # a correction belongs where its entry does


def validate_zone(name: str) -> None:
    """PostgreSQL decides when days begin, and its list of zones may be an older one, or lack `localtime`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = %s)", [name])
        [known] = cursor.fetchone()
    if not known or name not in available_timezones():
        raise ValidationError(f"{name!r} is no time zone; expected one like Europe/Paris.")


class Board(models.Model):
    """A rule: which points count, for whom, in which windows of time, and who wins.

    `global`, every player's total, is no row here: `user_scores` is its standing.
    """

    class Window(models.TextChoices):
        ALL = "all", "All time"
        DAILY = "daily", "A day"
        WEEKLY = "weekly", "A week, from Monday"
        MONTHLY = "monthly", "A month"
        YEARLY = "yearly", "A year"
        DAYS = "days", "Some days"
        FIXED = "fixed", "From its opening to its closing"

    class Value(models.TextChoices):
        SUM = "sum", "All points together"
        BEST = "best", "The best entry"
        LATEST = "latest", "The latest entry"
        DAYS = "days", "Days with an entry"

    class Order(models.TextChoices):
        HIGH = "high", "High wins"
        LOW = "low", "Low wins"

    class Ties(models.TextChoices):
        EARLIEST = "earliest", "Who was there first"
        LATEST = "latest", "Who was there last"
        SHARED = "shared", "Equals share a rank: 1 2 2 4"
        DENSE = "dense", "Equals share a rank: 1 2 2 3"

    class Entry(models.TextChoices):
        OPEN = "open", "Everybody is on it"
        JOIN = "join", "Players join it"

    class Visibility(models.TextChoices):
        PUBLIC = "public", "Everybody"
        SIGNED_IN = "signed-in", "Who is signed in"
        HIDDEN = "hidden", "Staff, and keys with the scope read"

    slug = models.CharField(
        max_length=32,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9]+(-[a-z0-9]+)*\Z", "Use small letters, digits and hyphens.")],
    )
    title = models.CharField(max_length=100)
    description = models.TextField(blank=True, default="", max_length=500)
    visibility = models.CharField(
        max_length=9, choices=Visibility, default=Visibility.PUBLIC, help_text="Who sees it; to others it is not there."
    )
    window = models.CharField(max_length=8, choices=Window, default=Window.ALL)
    zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_zone], help_text="In which its days begin: Europe/Paris."
    )
    every_days = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Days of a period, if that is the window."
    )
    starts_on = models.DateField(null=True, blank=True, help_text="The first day of such a period, whichever.")
    opens_at = models.DateTimeField(null=True, blank=True, help_text="What was done earlier does not count.")
    closes_at = models.DateTimeField(null=True, blank=True, help_text="What is done then or later does not count.")
    action_types = ArrayField(
        models.CharField(max_length=50), blank=True, default=list, help_text="Which count; empty: all."
    )
    sources = ArrayField(
        models.CharField(max_length=16),
        blank=True,
        default=list,
        help_text="Which count: action, award, bonus, adjustment; empty: all.",
    )
    attribute = models.CharField(
        max_length=32, blank=True, default="", help_text="A player attribute, or region: who is on it. Empty: everyone."
    )
    attribute_value = models.CharField(
        max_length=64, blank=True, default="", help_text=f"Of that attribute; {EACH}: one board for each value."
    )
    entry = models.CharField(
        max_length=4, choices=Entry, default=Entry.OPEN, help_text="Who joins brings along what its open periods hold."
    )
    value = models.CharField(max_length=6, choices=Value, default=Value.SUM)
    order = models.CharField(max_length=4, choices=Order, default=Order.HIGH)
    attempts = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_ATTEMPTS)],
        help_text="Of each player so many entries of a period count, the first; empty: all.",
    )
    ties = models.CharField(max_length=8, choices=Ties, default=Ties.EARLIEST)
    tiers = models.JSONField(blank=True, default=list, help_text="Names of the best ranks; see board_checks.tiers.")
    freeze_at = models.DateTimeField(
        null=True, blank=True, help_text="From then on the public sees the board as of then, until it is revealed."
    )
    revealed = models.DateTimeField(null=True, editable=False, help_text="The freeze that was revealed.")
    close = models.JSONField(
        blank=True,
        default=list,
        help_text='What closing a period gives by final rank: [{"ranks": [1, 3], "notice": "You made the podium."}, '
        '{"ranks": [1, 100], "webhook": true}].',
    )
    archive = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(1000)],
        help_text="How many closed periods visitors are offered, the last ones. Empty: all.",
    )
    paused = models.BooleanField(
        default=False, help_text="Not shown and not kept; afterwards it is filled from the history: nothing is missing."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "boards"
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(slug=GLOBAL),
                name="boards_global",
                violation_error_message="The board of all players is there already.",
            ),
            models.CheckConstraint(
                condition=~Q(window="days") | Q(every_days__gt=0, starts_on__isnull=False),
                name="boards_days",
                violation_error_message="Say how many days a period has, and on which day one begins.",
            ),
            models.CheckConstraint(
                condition=~Q(window="fixed") | Q(opens_at__isnull=False, closes_at__isnull=False),
                name="boards_fixed",
                violation_error_message="Say when it opens and when it closes.",
            ),
            models.CheckConstraint(
                condition=Q(opens_at__isnull=True) | Q(closes_at__isnull=True) | Q(closes_at__gt=F("opens_at")),
                name="boards_open",
                violation_error_message="It closes after it opens.",
            ),
            models.CheckConstraint(
                condition=Q(freeze_at__isnull=True)
                | (Q(opens_at__isnull=True) | Q(freeze_at__gte=F("opens_at")))
                & (Q(closes_at__isnull=True) | Q(freeze_at__lt=F("closes_at"))),
                name="boards_freeze",
                violation_error_message="It freezes while it is open.",
            ),
            models.CheckConstraint(
                condition=Q(attribute="", attribute_value="") | ~Q(attribute="") & ~Q(attribute_value=""),
                name="boards_attribute",
                violation_error_message=f"Say of which value of the attribute; {EACH} for one board for each.",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        """What takes more than one field, or a look at what the site has."""
        before = type(self).objects.filter(pk=self.pk).first() if self.pk else None
        wrong = dict(self.wrong(before))
        if wrong := {field: sentence for field, sentence in wrong.items() if sentence}:
            raise ValidationError(wrong)

    def rule(self) -> dict[str, object]:
        """What decides how the board comes out; in SQL `board_rule`."""
        others = (
            *("slug", "title", "description", "visibility", "paused", "created_at", "revealed"),
            *("tiers", "close", "archive"),
        )
        return {
            field.name: getattr(self, field.name) for field in self._meta.concrete_fields if field.name not in others
        }

    def waits(self) -> bool:
        """Whether a period is over that is frozen: how it came out is not for the public to know yet."""
        return self.periods.filter(closed_at=None, counts_until__isnull=False, ends_at__lte=datetime.now(UTC)).exists()

    def wrong(self, before: "Board | None") -> Iterator[tuple[str, str]]:
        """Fields and sentences. `before`: the rule as it is stored."""
        for field in ("starts_on", "opens_at", "closes_at", "freeze_at"):
            yield field, board_checks.moment(getattr(self, field))
        if before is not None and before.rule() != self.rule() and before.waits():
            yield "freeze_at", "A period is over and not revealed yet. Reveal it first."
        closes_at, known = self.closes_at, before.closes_at if before else None
        if closes_at is not None and closes_at != known and closes_at <= datetime.now(UTC):
            yield "closes_at", "Say a moment to come: what is over is not counted anew."
        for field in ("every_days", "starts_on"):
            if self.window != self.Window.DAYS and getattr(self, field) is not None:
                yield field, "Only for a window of some days."
        yield "close", board_checks.close(self.close)
        yield "action_types", board_checks.types(self.action_types, before.action_types if before else ())
        if unknown := [name for name in self.sources if name not in SOURCES]:
            yield "sources", f"{unknown[0][:16]!r} is none of {', '.join(SOURCES)}."
        yield "tiers", board_checks.tiers(self.tiers)
        if self.attribute and self.attribute_value:
            hidden = self.visibility == self.Visibility.HIDDEN
            about = board_checks.attribute(self.attribute, self.attribute_value, hidden)
            yield from zip(("attribute", "attribute_value"), about, strict=True)
