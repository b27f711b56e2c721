"""What closing a period gives: notices to players, and what webhooks are told. Both are written by `period_close`."""

from django.db import models
from django.db.models import Q

from accounts.models import User
from scoreboard.models.periods import BoardPeriod


class PlayerNotice(models.Model):
    """A sentence for one player about a final rank. It is kept as long as the period is, and the player."""

    user = models.ForeignKey(User, models.PROTECT, db_index=False, related_name="+")
    period = models.ForeignKey(BoardPeriod, models.PROTECT, related_name="+")
    rank = models.PositiveIntegerField()
    text = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    told = models.BooleanField(default=False, help_text="Whether the player's open pages were told.")

    class Meta:
        db_table = "player_notices"
        default_permissions = ()
        indexes = [
            models.Index(fields=["user", "-id"], name="player_notices_own"),
            models.Index(fields=["id"], name="player_notices_untold", condition=Q(told=False)),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.text}"

    @property
    def board(self) -> str:
        """As the API knows it."""
        return self.period.address


class PeriodClosing(models.Model):
    """A piece of what webhooks are told of a closed period, until it is filed for them.

    `places`: [[rank, user id, score], ...], in order. It says all that is told: the board may be deleted meanwhile.
    """

    board = models.CharField(max_length=65, help_text="As the API knows it: weekly, or region.eu.")
    period = models.CharField(max_length=16)
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField()
    closed_at = models.DateTimeField()
    players = models.PositiveIntegerField()
    piece = models.PositiveIntegerField()
    pieces = models.PositiveIntegerField()
    places = models.JSONField()

    class Meta:
        db_table = "period_closings"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.board} {self.period}, {self.piece} of {self.pieces}"
