"""What a site may say of its players beside name and avatar."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from accounts.names import cleaned
from api.fields import MAX_SAFE_INTEGER

MAX_TEXT = 32  # characters of a value
REGION = "region"  # stored in its own column, all others in `users.attributes`

Value = str | int | bool | None


class PlayerAttribute(models.Model):
    """One attribute that sites may set, declared in admin. Back ends and admins see it; no board shows it."""

    class Kind(models.TextChoices):
        TEXT = "text"
        INTEGER = "integer"
        BOOLEAN = "boolean"

    name = models.CharField(
        max_length=32,
        primary_key=True,
        validators=[
            RegexValidator(r"\A[a-z][a-z0-9_]*\Z", "Use small letters, digits and _, beginning with a letter.")
        ],
    )
    kind = models.CharField(max_length=8, choices=Kind, help_text=f"A text has 1 to {MAX_TEXT} characters.")
    allowed = ArrayField(
        models.CharField(max_length=MAX_TEXT),
        default=list,
        blank=True,
        help_text="The only values there are, separated by commas; empty: any of the kind.",
    )
    private = models.BooleanField(
        default=False, help_text="Told to keys with the scope players, and not to those that only read."
    )

    class Meta:
        db_table = "player_attributes"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(name=REGION) | Q(kind="text"),
                name="player_attributes_region",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Each allowed value is one of the kind. A form without the name skips the constraint about the region."""
        if self.name == REGION and self.kind != self.Kind.TEXT:
            raise ValidationError({"kind": "The region is a text."})
        try:
            if self.kind == self.Kind.BOOLEAN and self.allowed:
                raise ValueError("A boolean is true or false.")
            for text, value in zip(self.allowed, self.values(), strict=True):
                if str(self.check_kind(value)) != text:
                    raise ValueError(f"Write {text} as {value}.")
        except ValueError as error:
            raise ValidationError({"allowed": str(error)}) from error

    def values(self) -> list[str] | list[int]:
        """The allowed values. Raises ValueError for what is no integer."""
        return [int(value) for value in self.allowed] if self.kind == self.Kind.INTEGER else self.allowed

    def checked(self, value: object) -> Value:
        """The value as it is stored; None takes the attribute away. Raises ValueError with a sentence."""
        if value is None:
            return None
        found = self.check_kind(value)
        if self.allowed and found not in self.values():
            raise ValueError(f"Expected one of {', '.join(self.allowed)}.")
        return found

    def check_kind(self, value: object) -> str | int | bool:
        match self.kind:
            case self.Kind.BOOLEAN:
                if not isinstance(value, bool):
                    raise ValueError("Expected true or false.")
                return value
            case self.Kind.INTEGER:
                if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_SAFE_INTEGER:
                    raise ValueError("Expected an integer.")
                return value
            case _:
                if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT or cleaned(value) != value:
                    raise ValueError(f"Expected 1 to {MAX_TEXT} visible characters.")
                return value
