"""Keys of back ends, and what they may do."""

import re
import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models.user import BACK_END, LOCAL, SITE, User
from api.throttles import parse

PROVIDER = re.compile(rf"^(?!(?:{LOCAL}|{BACK_END})\Z)[a-z][a-z0-9_-]{{0,31}}\Z")
validate_provider = RegexValidator(
    PROVIDER, "Use 1 to 32 small letters, digits, - and _, beginning with a letter; `local` and `back-end` are taken."
)


def validate_limit(text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def default_limit() -> str:
    """LIMIT_KEY, as it is when a key is issued."""
    return str(settings.LIMITS["key"])


class BannedPlayer(models.Model):
    """A player of another site who was banned and then erased: a keyed hash of provider and id, and nothing else.

    Without SECRET_KEY, which is not in the database, no id can be found from it by trying.
    """

    digest = models.CharField(max_length=64, primary_key=True)

    class Meta:
        db_table = "banned_players"
        default_permissions = ()

    def __str__(self) -> str:
        return self.digest


class ApiKey(models.Model):
    """One key of one back end. Revoked and expired keys stay listed: the audit trail names them."""

    class Scope(models.TextChoices):
        AWARD = "award", "Award points to any player"
        MINT = "mint", "Mint action tokens for any player"
        PLAYERS = "players", "Create, change, list and erase the players of its provider"
        VIEWERS = "viewers", "Get tokens by which the players of its provider see and act for themselves"
        BONUS = "bonus", "Give bonus points to any player"
        BOARDS = "boards", "Make, change and delete boards"
        READ = "read", "Read players, any player's history, boards that are not public, and exports"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, help_text="Which back end uses it.")
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope))
    action_types = ArrayField(
        models.CharField(max_length=50),
        default=list,
        blank=True,
        help_text="The action types it may grant, separated by commas; empty: all that a back end may.",
    )
    provider = models.CharField(
        max_length=32,
        default=SITE,
        validators=[validate_provider],
        help_text="Whose user ids it speaks of. Keys of one provider speak of the same players.",
    )
    limit = models.CharField(
        max_length=40,
        default=default_limit,
        validators=[validate_limit],
        help_text="Such as 6000/minute, or off. A batch counts as its entries.",
    )
    actor = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        help_text="Who the history says gave its bonuses and changed its boards; the same of its successors.",
    )
    created_by = models.ForeignKey(User, models.PROTECT, null=True, editable=False, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(actor__isnull=False) | ~Q(scopes__overlap=["bonus", "boards"]),
                name="api_keys_who_gives_has_a_name",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (sb_{self.prefix}_…)"

    @property
    def usable(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())
