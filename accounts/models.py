"""Who somebody is: users, the API keys of back ends, and where accounts were signed up from.

The trigger that keeps an erased user erased is in sql/, installed by the migrations.
"""

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.names import MAX_LENGTH, validate_username
from api.throttles import parse

if TYPE_CHECKING:
    UserManagerBase = UserManager["User"]
else:
    UserManagerBase = UserManager


class AccountManager(UserManagerBase):
    def named(self, username: str) -> "QuerySet[User]":
        """The account with this name in any capitals, as the unique index knows it.

        Not `iexact`, which compares in capitals: "kim" with and without its dot are one word in capitals, two in small
        letters, which the index compares; so both can sign up, and neither could sign in. And the index answers this.
        """
        return self.alias(small=Lower("username")).filter(small=Lower(Value(username)))

    def get_by_natural_key(self, username: str | None) -> "User":
        """Sign-in ignores capitals, as uniqueness does."""
        return self.named(username or "").get()


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
        permissions = [("hide_user", "Can hide players from the boards")]

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


class SignUpAddress(models.Model):
    """The hashed address of one account. Deleted some weeks after the sign-up."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="sign_up_address")
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "sign_up_addresses"
        default_permissions = ()
        indexes = [
            models.Index(fields=["digest", "-created_at"], name="sign_up_addresses_digest"),
            models.Index(fields=["created_at"], name="sign_up_addresses_created"),
        ]

    def __str__(self) -> str:
        return str(self.user_id)


def validate_limit(text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class ApiKey(models.Model):
    """One key of one back end. Revoked and expired keys stay listed: the audit trail names them."""

    class Scope(models.TextChoices):
        MINT = "mint", "Mint action tokens for any player"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, help_text="Which back end uses it.")
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope))
    limit = models.CharField(
        max_length=40, default="6000/minute", validators=[validate_limit], help_text="Such as 6000/minute, or off."
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

    def __str__(self) -> str:
        return f"{self.name} (sb_{self.prefix}_…)"

    @property
    def usable(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())
