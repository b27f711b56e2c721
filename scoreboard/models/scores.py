"""Totals, history and bonuses. Triggers and the ledger function live in sql/, installed by the migrations."""

import uuid
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Cast, Now

from accounts.models import User

MAX_BONUS = 1_000_000
MAX_TOTAL = 2**53 - 1  # Redis scores and JSON numbers are doubles; beyond this they lose points
CURRENT_TRANSACTION = Cast(
    Cast(Func(function="pg_current_xact_id"), models.TextField()), models.BigIntegerField()
)  # of its type, xid8, nothing but text can be made


class UserScore(models.Model):
    """One player's total. Written by the ledger function and the users trigger, by nothing else."""

    user = models.OneToOneField(User, models.PROTECT, primary_key=True, related_name="score")
    total = models.BigIntegerField(default=0)
    version = models.BigIntegerField(default=0, help_text="Raised by every change a board could show.")
    reached_at = models.DateTimeField(help_text="When this total was reached: the earlier ranks higher.")
    # The transaction that last raised the version. The sweep reads everything from the oldest transaction that was
    # still open at its last visit, so that a commit can be late but never missed (docs/architecture.md).
    changed_xid = models.BigIntegerField()

    class Meta:
        db_table = "user_scores"
        constraints = [
            models.CheckConstraint(condition=Q(total__range=(0, MAX_TOTAL)), name="user_scores_total_range"),
        ]
        indexes = [
            # The order of every board, and exactly Redis's.
            models.Index(F("total").desc(), "reached_at", F("user_id").desc(), name="user_scores_rank"),
            models.Index(fields=["changed_xid"], name="user_scores_changed"),
        ]
        permissions = [("adjust_score", "Can adjust scores")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.total}"


class ScoreHistory(models.Model):
    """One change of one total, for ever. A trigger refuses UPDATE, DELETE and TRUNCATE."""

    class Source(models.TextChoices):
        ACTION = "action"
        AWARD = "award"
        BONUS = "bonus"
        ADJUSTMENT = "adjustment"
        CORRECTION = "correction"

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, models.PROTECT, related_name="history", db_index=False)
    action_id = models.UUIDField(help_text="The token's jti, or the caller's idempotency id.")
    source = models.CharField(max_length=16, choices=Source)
    action_type = models.CharField(max_length=50, blank=True)
    delta = models.BigIntegerField()
    old_total = models.BigIntegerField()
    new_total = models.BigIntegerField()
    version = models.BigIntegerField()
    actor = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="Who acted, if not the player.",
    )
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    occurred_at = models.DateTimeField(null=True, help_text="When it was done, as the site says; decides nothing.")
    reverses = models.BigIntegerField(null=True, help_text="The entry that this one takes back, whole or in part.")
    boards = ArrayField(
        models.BigIntegerField(), null=True, help_text="The boards it names; empty: those that sum up all of all time."
    )
    value = models.BigIntegerField(null=True, help_text="Of a measure, which gives no points.")
    metadata = models.JSONField(null=True, help_text="What else the site says of the deed.")
    # The transaction that appended it: what readers of `changes` go by. PostgreSQL fills it in for every writer.
    changed_xid = models.BigIntegerField(db_default=CURRENT_TRANSACTION, editable=False)

    class Meta:
        db_table = "score_history"
        verbose_name_plural = "score history"
        constraints = [
            # The last word on double spending, whatever the code above it does.
            models.UniqueConstraint(fields=["user", "action_id"], name="score_history_action_once"),
            models.CheckConstraint(condition=Q(new_total=F("old_total") + F("delta")), name="score_history_sums"),
            models.CheckConstraint(
                condition=Q(value__isnull=True) | Q(value__range=(-MAX_TOTAL, MAX_TOTAL), delta=0),
                name="score_history_measure",
            ),
        ]
        indexes = [
            models.Index("user", F("id").desc(), name="score_history_user"),
            BrinIndex(fields=["created_at"], name="score_history_created", autosummarize=True),
            models.Index(fields=["changed_xid"], name="score_history_changed"),
            models.Index(
                fields=["user", "reverses"], name="score_history_reverses", condition=Q(reverses__isnull=False)
            ),
            # The few that take points without taking an entry back.
            models.Index(fields=["user"], name="score_history_lowered", condition=Q(delta__lt=0, reverses=None)),
        ]
        permissions = [("view_any_history", "Can read any player's history")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.delta:+d} → {self.new_total}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("score_history is written by the ledger function only")


class Bonus(models.Model):
    """One use of an Idempotency-Key: what was asked, so that a repeat can be told from another request.

    Paid at once, or, beyond what its giver may give alone, waiting for a second person to approve or refuse it.
    A trigger refuses to remove it: the key would pay once more.
    """

    class State(models.TextChoices):
        PAID = "paid"
        WAITING = "waiting"
        REFUSED = "refused"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, help_text="The entry's action_id.")
    actor = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    user = models.ForeignKey(User, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    points = models.PositiveIntegerField()
    reason = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.PAID)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", db_index=False)
    decided_at = models.DateTimeField(null=True, help_text="By a second person; empty when it was paid at once.")
    # Ids as they were when it was asked: another board may have the slug by the time it is paid.
    boards = models.JSONField(null=True, help_text="The boards it names: the id of each by its slug.")

    class Meta:
        db_table = "bonuses"
        verbose_name_plural = "bonuses"
        constraints = [models.UniqueConstraint(fields=["actor", "key"], name="bonuses_key_once")]
        indexes = [models.Index(fields=["created_at"], name="bonuses_created")]
        permissions = [("give_bonus", "Can give bonus points")]

    def __str__(self) -> str:
        return f"{self.points} to {self.user_id}"

    @property
    def named(self) -> list[str]:
        """The slugs of the boards that it names, as it was asked."""
        return sorted(self.boards or ())
