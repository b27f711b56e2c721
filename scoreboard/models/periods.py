"""The periods of boards, and how an entry finds those it belongs to; triggers and the worker write that (sql/)."""

from django.db import models
from django.db.models import Q

from scoreboard.models.boards import Board


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


class BoardsVersion(models.Model):
    """One row, raised with every change of boards and periods: readers keep them in memory until it moves."""

    version = models.BigIntegerField()

    class Meta:
        db_table = "boards_version"

    def __str__(self) -> str:
        return str(self.version)
