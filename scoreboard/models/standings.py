"""How players stand in the periods of boards, and who is on them; the ledger writes that (sql/)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower, Now

from accounts.models import User
from scoreboard.models.periods import BoardPeriod


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
