"""What can be done for points."""

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Func, Q, QuerySet, Value

from accounts.models import User
from scoreboard.models import MAX_TOTAL, ScoreHistory

if TYPE_CHECKING:
    ManagerBase = models.Manager["ActionType"]
else:
    ManagerBase = models.Manager

MAX_POINTS = 1_000_000
MAX_LIFETIME = 24 * 3600


class Grant(models.TextChoices):
    """Whose word a token is issued on."""

    BACK_END = "back_end", "A back end"
    SIGNER = "signer", "A separate signer"
    PLAYER = "player", "The player"


class ActionTypes(ManagerBase):
    def working(self) -> "QuerySet[ActionType]":
        """The types that are listed, minted and awarded: switched on, and approved if they can give much.

        By `action_type_works` (sql/types.sql), which redemption asks, too.
        """
        return self.filter(works())

    def waiting(self) -> "QuerySet[ActionType]":
        """The types that are switched on and wait for a second person."""
        return self.filter(enabled=True).exclude(works())

    def playable(self) -> "QuerySet[ActionType]":
        """The working types that a player may grant, the smallest first."""
        return self.working().filter(granted_by=Grant.PLAYER).order_by("points", "slug")


def works() -> Func:
    """Of the row of a query over `action_types` itself, not of one that joins it or has it in a subquery."""
    return Func(
        Value(settings.APPROVE_TYPE_POINTS),
        function="action_type_works",
        template='%(function)s("action_types", %(expressions)s)',
        output_field=models.BooleanField(),
    )


class ActionType(models.Model):
    """One entry of the catalogue. Points are decided here, by the server, and nowhere else."""

    slug = models.CharField(
        max_length=50,
        primary_key=True,
        validators=[RegexValidator(r"^[A-Z][A-Z0-9_]*\Z", "Use capitals, digits and underscores.")],
    )
    title = models.CharField(max_length=100)
    granted_by = models.CharField(
        max_length=8,
        choices=Grant,
        default=Grant.BACK_END,
        help_text=(
            "A back end: your server says who has done it, with an API key; no player can. "
            "A separate signer: a policy engine signs the tokens with a key of its own. "
            "The player: anyone signed in gets the points for asking, and back ends may grant it too. Only for what is "
            "worth having from anybody, and only with a cooldown or a minimum time."
        ),
    )
    points = models.PositiveIntegerField(
        validators=[MaxValueValidator(MAX_POINTS)], help_text="1 or more; of a measure 0."
    )
    measure = models.BooleanField(
        default=False,
        help_text=(
            "A lap time, a weight: an award of it carries a value and gives no points. It counts on boards of the "
            "best, the latest or days that name the type. Said when the type is made, for good."
        ),
    )
    token_lifetime = models.PositiveIntegerField(
        default=300,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_LIFETIME)],
        help_text="Seconds a token can be redeemed.",
    )
    min_seconds = models.PositiveIntegerField(
        default=0,
        help_text="Seconds between minting and redeeming, at least, of a token that the player asked for.",
    )
    max_per_hour = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Tokens a player can ask for of this type in an hour; empty: the site's LIMIT_ACTIONS alone.",
    )
    cooldown = models.PositiveIntegerField(
        default=0, help_text="Seconds between two tokens of this type that one player asks for; 86400 is once a day."
    )
    min_points = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="The least a trusted back end or signer may award; empty: just the points, of a measure any value.",
    )
    max_points = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="The most a trusted back end or signer may award; empty: just the points, of a measure any value.",
    )
    enabled = models.BooleanField(default=True)
    approved_points = models.PositiveIntegerField(
        default=0, editable=False, help_text="The most points of this type that a second person has approved."
    )
    proposed_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
        help_text="Who last set what it can give.",
    )

    objects: ClassVar[ActionTypes] = ActionTypes()

    class Meta:
        db_table = "action_types"
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                condition=Q(measure=False, points__range=(1, MAX_POINTS)) | Q(measure=True, points=0),
                name="action_types_points",
                violation_error_message="Points are 1 or more; of a measure 0.",
            ),
            models.CheckConstraint(
                condition=Q(measure=False) | Q(granted_by=Grant.BACK_END),
                name="action_types_measure_granted",
                violation_error_message="A measure is granted by a back end alone.",
            ),
            models.CheckConstraint(
                condition=Q(measure=False)
                | (Q(min_points__isnull=True) | Q(min_points__range=(-MAX_TOTAL, MAX_TOTAL)))
                & (Q(max_points__isnull=True) | Q(max_points__range=(-MAX_TOTAL, MAX_TOTAL)))
                & (Q(min_points__isnull=True) | Q(max_points__isnull=True) | Q(max_points__gte=F("min_points"))),
                name="action_types_values",
                violation_error_message="The values of a measure lie between the least and the most, within 2^53.",
            ),
            models.CheckConstraint(
                condition=Q(measure=True) | Q(min_points__isnull=True) | Q(min_points__range=(1, F("points"))),
                name="action_types_min_points",
                violation_error_message="The least must be between 1 and the points.",
            ),
            models.CheckConstraint(
                condition=Q(measure=True) | Q(max_points__isnull=True) | Q(max_points__range=(F("points"), MAX_POINTS)),
                name="action_types_max_points",
                violation_error_message="The most must be between the points and 1000000.",
            ),
            models.CheckConstraint(
                condition=Q(min_seconds__lt=F("token_lifetime")),
                name="action_types_redeemable",
                violation_error_message="A token must live longer than the action takes.",
            ),
            models.CheckConstraint(
                condition=~Q(granted_by=Grant.PLAYER) | Q(cooldown__gt=0) | Q(min_seconds__gt=0),
                name="action_types_player_bounds",
                violation_error_message="What players grant themselves needs a cooldown or a minimum time.",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def clean(self) -> None:
        """Of a slug that was another type's, too: points and measures of one name would be compared with each other."""
        if self.points is not None and (self.points == 0) != self.measure:
            raise ValidationError({"points": "Points are 1 or more; of a measure 0."})
        before = ScoreHistory.objects.filter(action_type=self.slug, value__isnull=self.measure)
        if self._state.adding and before.exists():
            kind = "points" if self.measure else "a measure"
            raise ValidationError(
                {"measure": f"There are entries of {self.slug} in the history, and it was {kind} then."}
            )

    @property
    def most(self) -> int:
        """The most points that one action of this type gives."""
        return 0 if self.measure else max(self.points, self.max_points or 0)
