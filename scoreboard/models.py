"""Identity, totals and history. Triggers and the ledger function live in sql/, installed by the migrations."""

import uuid
from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.indexes import BrinIndex
from django.core.validators import URLValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from scoreboard.account_manager import AccountManager
from scoreboard.addresses import SignUpAddress
from scoreboard.api_keys import ApiKey
from scoreboard.names import MAX_LENGTH, validate_username

MAX_BONUS = 1_000_000
MAX_TOTAL = 2**53 - 1  # Redis scores and JSON numbers are doubles; beyond this they lose points


class User(AbstractUser):
    """Who someone is. What they scored is in `user_scores`, so that this row stays cold.

    A trigger raises `user_scores.version` whenever a column that a board shows changes, whoever changes it.
    Username and email are unique by expression indexes only: an update of a column with a plain unique index takes
    a row lock that collides with the history's foreign key and could deadlock with the ledger.
    """

    class Role(models.TextChoices):
        PLAYER = "player"
        MODERATOR = "moderator"
        ADMIN = "admin"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = models.CharField(max_length=MAX_LENGTH, validators=[validate_username])
    email = models.EmailField(max_length=254)
    avatar_url = models.CharField(
        max_length=500, blank=True, default="", validators=[URLValidator(schemes=["http", "https"])]
    )
    region = models.CharField(max_length=32, blank=True, default="")
    role = models.CharField(
        max_length=16,
        choices=Role,
        default=Role.PLAYER,
        help_text="Moderators give bonuses and read histories over the API; admins may also enter this site.",
    )
    is_hidden = models.BooleanField(
        default=False, help_text="Hidden players keep their points and history but are on no board."
    )
    erased_at = models.DateTimeField(null=True, editable=False, help_text="Since then nobody is behind this row.")
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]

    objects: ClassVar[AccountManager] = AccountManager()

    class Meta:
        db_table = "users"
        constraints = [
            models.UniqueConstraint(
                Lower("username"), name="users_username_key", violation_error_message="This name is taken."
            ),
            models.UniqueConstraint(
                Lower("email"), name="users_email_key", violation_error_message="This address is in use."
            ),
            models.CheckConstraint(
                condition=Q(role="admin", is_staff=True) | (~Q(role="admin") & Q(is_staff=False)),
                name="users_staff_are_admins",
            ),
            models.CheckConstraint(
                condition=Q(is_superuser=False) | Q(role="admin"),
                name="users_superusers_are_admins",
                violation_error_message="A superuser's role is admin.",
            ),
            models.CheckConstraint(
                condition=Q(erased_at=None) | Q(is_active=False, is_hidden=True),
                name="users_erased_for_good",
                violation_error_message="This player was erased; there is nobody to bring back.",
            ),
        ]
        permissions = [
            ("give_bonus", "Can give bonus points"),
            ("adjust_score", "Can adjust scores"),
            ("hide_user", "Can hide players from the boards"),
            ("view_any_history", "Can read any player's history"),
        ]

    def __str__(self) -> str:
        return self.username

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """As it is: `validate_username` demands NFC. Django's NFKC would make another name of it than was asked for."""
        return username

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """The role decides who may enter the admin site: `is_staff` follows it, and a superuser is an admin."""
        authority = {"role", "is_staff", "is_superuser"}
        if update_fields is None or authority.intersection(update_fields):
            if self.is_superuser:
                self.role = self.Role.ADMIN
            self.is_staff = self.role == self.Role.ADMIN
            update_fields = None if update_fields is None else authority.union(update_fields)
        super().save(*args, update_fields=update_fields, **kwargs)


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

    def __str__(self) -> str:
        return f"{self.user_id}: {self.total}"


class ScoreHistory(models.Model):
    """One change of one total, for ever. A trigger refuses UPDATE and DELETE."""

    class Source(models.TextChoices):
        ACTION = "action"
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

    class Meta:
        db_table = "score_history"
        verbose_name_plural = "score history"
        constraints = [
            # The last word on double spending, whatever the code above it does.
            models.UniqueConstraint(fields=["user", "action_id"], name="score_history_action_once"),
            models.CheckConstraint(condition=Q(new_total=F("old_total") + F("delta")), name="score_history_sums"),
        ]
        indexes = [
            models.Index("user", F("id").desc(), name="score_history_user"),
            BrinIndex(fields=["created_at"], name="score_history_created"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.delta:+d} → {self.new_total}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("score_history is written by the ledger function only")


class Bonus(models.Model):
    """One use of an Idempotency-Key: what was asked, so that a repeat can be told from another request."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, help_text="The entry's action_id.")
    actor = models.ForeignKey(User, models.PROTECT, related_name="+")
    key = models.CharField(max_length=255)
    user = models.ForeignKey(User, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    points = models.PositiveIntegerField()
    reason = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "bonuses"
        verbose_name_plural = "bonuses"
        constraints = [models.UniqueConstraint(fields=["actor", "key"], name="bonuses_key_once")]

    def __str__(self) -> str:
        return f"{self.points} to {self.user_id}"


__all__ = ["AccountManager", "ApiKey", "Bonus", "ScoreHistory", "SignUpAddress", "User", "UserScore"]
