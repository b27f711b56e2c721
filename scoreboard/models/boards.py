"""Boards: rules over the ledger, their periods, and how players stand in each; the ledger writes that (sql/)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import available_timezones

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now

from accounts.models import User
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
        HIDDEN = "hidden", "Staff, and keys with the scope `read`"

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


class BoardScope(models.Model):
    """Which boards an entry may belong to, found by its type and its player's groups. Kept by a trigger on `boards`.

    `action_type` "": any. `who`: "" everyone, "region=eu" those, "region=*" the board of each one's own value.
    """

    board_id = models.BigIntegerField()
    who = models.TextField()
    action_type = models.CharField(max_length=50)

    class Meta:
        db_table = "board_scopes"
        constraints = [
            models.UniqueConstraint(fields=["who", "action_type", "board_id"], name="board_scopes_key"),
        ]

    def __str__(self) -> str:
        return f"{self.board_id}: {self.action_type or 'any'} of {self.who or 'everyone'}"


class BoardPeriod(models.Model):
    """One period of one board, and of one `part` of it where each value of an attribute has a board of its own.

    An entry belongs to the period with starts_at <= created_at < ends_at. Made ahead of its time (`board_open`).

    A period in which its board freezes is two: the public one, in which no entry counts that is later than
    `counts_until`, and the `truth`. What is written of them is written in the same way; who is shown which differs.
    """

    # Without a constraint: whoever writes a standing need not wait for who deletes the board.
    board = models.ForeignKey(Board, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="periods")
    part = models.CharField(max_length=32, blank=True, default="")
    key = models.CharField(max_length=16, help_text="all, 2026, 2026-11, 2026-W47 or 2026-11-26.")
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    filled_at = models.DateTimeField(null=True, help_text="Empty while it is being filled from the history.")
    closed_at = models.DateTimeField(null=True, help_text="When its final ranks were kept.")
    truth = models.BooleanField(default=False, help_text="What the public is not shown until it is revealed.")
    counts_until = models.DateTimeField(null=True, help_text="The last moment that counts; empty: no such limit.")

    class Meta:
        db_table = "board_periods"
        constraints = [models.UniqueConstraint(fields=["board", "part", "key", "truth"], name="board_periods_key")]
        indexes = [
            models.Index(fields=["board", "part"], name="board_periods_open", condition=Q(closed_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.board_id} {self.part} {self.key}"

    @property
    def address(self) -> str:
        """As which the API knows its board: weekly, or region.eu."""
        return f"{self.board.slug}.{self.part}" if self.part else self.board.slug


class BoardEntrant(models.Model):
    """Who has joined a board. Kept while it is open to all, and deleted with it."""

    pk = models.CompositePrimaryKey("board_id", "user_id")
    board_id = models.BigIntegerField()
    user_id = models.UUIDField()
    joined_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "board_entrants"
        indexes = [models.Index(fields=["user_id"], name="board_entrants_user")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.board_id}"


class BoardReveal(models.Model):
    """A freeze that is being revealed: `changes` entries of each frozen period every `pace` seconds."""

    # Without a constraint, as that of a period.
    board = models.OneToOneField(Board, models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="reveal")
    pace = models.FloatField(help_text="Seconds.")
    changes = models.PositiveIntegerField()
    until = models.DateTimeField(help_text="When it was begun: what came later is shown at its end, all together.")
    next_at = models.DateTimeField()

    class Meta:
        db_table = "board_reveals"

    def __str__(self) -> str:
        return f"{self.board_id}: {self.changes} every {self.pace} s"


class BoardStanding(models.Model):
    """One player in one period. No index has a column that a score changes: an update stays in its page.

    `points` as they rank, the higher the better: where low wins they are negated. `shown`: whether there is anything to
    show, which visibility may still forbid. Orphans of deleted boards are purged.
    """

    pk = models.CompositePrimaryKey("period_id", "user_id")
    period_id = models.BigIntegerField()
    user_id = models.UUIDField()
    points = models.BigIntegerField()
    reached_at = models.DateTimeField()
    shown = models.BooleanField()
    joins = models.SmallIntegerField(help_text="How an entry joins it: see board_joins.")
    attempts_left = models.SmallIntegerField(null=True, help_text="Entries that may still count; empty: all of them.")
    metadata = models.JSONField(null=True, help_text="Of the best or the latest entry.")

    class Meta:
        db_table = "standings"
        indexes = [models.Index(fields=["user_id"], name="standings_user")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.period_id}: {self.points}"


class BoardCheckpoint(models.Model):
    """How a board, or one part of it, stood at an instant that is over: a copy of what the history says.

    By the rule as it is now, in whichever period held the instant; 0 is the board of all totals. Hidden players are
    among them. `points` as they rank.
    """

    pk = models.CompositePrimaryKey("board_id", "part", "at")
    board_id = models.BigIntegerField()
    part = models.CharField(max_length=32)
    at = models.DateTimeField()
    last_id = models.BigIntegerField(
        help_text="Of the history, up to which no entry is left out: none of then has a greater one."
    )
    entries = models.IntegerField(help_text="Of the history, since the one before.")
    changed = models.IntegerField(help_text="Standings, since then.")
    players = models.IntegerField(help_text="With something to show.")
    users = ArrayField(models.UUIDField(), help_text="The best, best first.")
    points = ArrayField(models.BigIntegerField())
    reached = ArrayField(models.DateTimeField())

    class Meta:
        db_table = "board_checkpoints"

    def __str__(self) -> str:
        return f"{self.board_id} {self.part} at {self.at}"


class BoardsVersion(models.Model):
    """One row, raised with every change of boards and periods: readers keep them in memory until it moves."""

    version = models.BigIntegerField()

    class Meta:
        db_table = "boards_version"

    def __str__(self) -> str:
        return str(self.version)


class AttributeHistory(models.Model):
    """The region and the attributes of players from when on: an entry counts by what they were when it was recorded.

    That is told by the versions of the player's total, which a clock that is set back does not turn round. Written by a
    trigger on `users`; the value is empty from when the player had none.
    """

    pk = models.CompositePrimaryKey("user_id", "name", "version")
    user_id = models.UUIDField()
    name = models.CharField(max_length=64)
    version = models.BigIntegerField(help_text="Of the player's total, as the change raised it.")
    since = models.DateTimeField()
    value = models.TextField()

    class Meta:
        db_table = "attribute_history"
        indexes = [models.Index("name", Lower("value"), name="attribute_history_part")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.name}={self.value} since {self.since}"


class FinalStanding(models.Model):
    """How a player came out of a period, for ever."""

    period = models.ForeignKey(BoardPeriod, models.PROTECT, db_index=False, related_name="final")
    place = models.PositiveIntegerField(help_text="1 to n, in the order in which they are listed.")
    rank = models.PositiveIntegerField(help_text="As it is shown: equals may share one.")
    user = models.ForeignKey(User, models.PROTECT, db_index=False, related_name="+")
    points = models.BigIntegerField(help_text="As they are shown.")
    reached_at = models.DateTimeField()
    metadata = models.JSONField(null=True, help_text="Of the best or the latest entry.")

    class Meta:
        db_table = "final_standings"
        constraints = [models.UniqueConstraint(fields=["period", "user"], name="final_standings_player")]
        indexes = [models.Index(fields=["period", "place"], name="final_standings_place")]

    def __str__(self) -> str:
        return f"{self.rank}. {self.user_id}: {self.points}"
