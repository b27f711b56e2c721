"""Identity: users, sign-ins and sessions, API keys of back ends, where accounts were signed up from, refusals.

The trigger that keeps an erased user erased is in sql/, installed by the migrations.
"""

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models, transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.names import MAX_LENGTH, skeleton, validate_username
from api.throttles import parse

if TYPE_CHECKING:
    UserManagerBase = UserManager["User"]
    SignInManagerBase = models.Manager["SignIn"]
    TextField = models.TextField[str | None, str | None]
else:
    UserManagerBase = UserManager
    SignInManagerBase = models.Manager
    TextField = models.TextField


class SkeletonField(TextField):
    """What the username looks like (`names.skeleton`), in step with it whichever way the row is saved."""

    def pre_save(self, model_instance: Any, add: bool) -> str:
        model_instance.skeleton = skeleton(model_instance.username)
        return str(model_instance.skeleton)


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

    A trigger raises `user_scores.version` whenever a column that a board shows changes, by any statement.
    Username, skeleton and email are unique by expression indexes only: an update of a column with a plain unique index
    takes a row lock that collides with the history's foreign key and could deadlock with the ledger.
    """

    class Role(models.TextChoices):
        PLAYER = "player"
        MODERATOR = "moderator"
        ADMIN = "admin"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = models.CharField(max_length=MAX_LENGTH, validators=[validate_username])
    skeleton = SkeletonField(null=True, editable=False)
    email = models.EmailField(max_length=254)
    email_confirmed_at = models.DateTimeField(null=True, editable=False)
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
    session_key = models.UUIDField(default=uuid.uuid4, editable=False, help_text="A new one ends all sessions.")
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]

    _password: str | None  # in clear, between `set_password` and `save`: Django's own
    _password_removed = False

    objects: ClassVar[AccountManager] = AccountManager()

    class Meta:
        db_table = "users"
        constraints = [
            models.UniqueConstraint(
                Lower("username"), name="users_username_key", violation_error_message="This name is taken."
            ),
            models.UniqueConstraint(
                Lower("skeleton"),
                name="users_skeleton_key",
                violation_error_message="This name looks like one that is taken.",
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

    @property
    def earns_nothing(self) -> bool:
        """Staff: moderators, admins, superusers (whose role is admin). The ledger raises no total of theirs."""
        return self.role != self.Role.PLAYER

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """As it is: `validate_username` demands NFC. Django's NFKC would make another name of it than was asked for."""
        return username

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self._password_removed = True

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session must know: the password's hash, as Django has it, and the key that "sign out everywhere"
        replaces."""
        text = f"{self.password}{self.session_key}"
        return salted_hmac("accounts.User.session", text, secret=secret, algorithm="sha256").hexdigest()

    def save(
        self, *args: Any, update_fields: Iterable[str] | None = None, keep: uuid.UUID | None = None, **kwargs: Any
    ) -> None:
        """The role decides who may enter the admin site: `is_staff` follows it, and a superuser is an admin.

        A new password, or none, ends every sign-in but `keep`; a better hash of the same one, which Django saves when
        a user signs in, does not. The user's row is written first: who starts a sign-in locks it (sign_in.start).
        """
        fields: set[str] | None = None if update_fields is None else set(update_fields)
        if fields is None or AUTHORITY & fields:
            if self.is_superuser:
                self.role = self.Role.ADMIN
            self.is_staff = self.role == self.Role.ADMIN
            fields = None if fields is None else fields | AUTHORITY
        if fields and "username" in fields:
            fields.add("skeleton")
        ends = not self._state.adding and (self._password is not None or self._password_removed)
        with transaction.atomic():
            super().save(*args, update_fields=fields, **kwargs)
            if ends:
                SignIn.objects.end(self.pk, keep=keep)
        self._password_removed = False


AUTHORITY = frozenset({"role", "is_staff", "is_superuser"})


class SignInManager(SignInManagerBase):
    def end(self, user_id: uuid.UUID, *, keep: uuid.UUID | None = None) -> int:
        """Ends every sign-in of this user but `keep`; returns how many. Their tokens are worth nothing from now on."""
        going_on = self.filter(user_id=user_id, ended_at=None)
        return (going_on.exclude(pk=keep) if keep else going_on).update(ended_at=timezone.now())


class SignIn(models.Model):
    """A sign-in over the API. Its tokens are stored nowhere; `jti` says which refresh token is good now."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    jti = models.CharField(max_length=32)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[SignInManager] = SignInManager()

    class Meta:
        db_table = "sign_ins"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)


class Session(AbstractBaseSession):
    """A session of the site's pages, and whose it is: without the column, only reading all of them would tell."""

    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="sessions", db_constraint=False)

    class Meta(AbstractBaseSession.Meta):
        abstract = False
        db_table = "sessions"
        default_permissions = ()


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


class AuditLog(models.Model):
    """What was refused: one line for the repeats of one caller and reason within a minute. Written by `audit` alone.

    Without foreign keys in the database: a batch must not fail for a token that names a user who is gone. `subject` is
    the user whom it concerned, `request_id` and `detail` are those of the first refusal.
    """

    DETAIL = 200

    id = models.UUIDField(primary_key=True, editable=False)
    kind = models.CharField(max_length=40, help_text="The problem's slug.")
    reason = models.CharField(max_length=40, help_text="Why more exactly; the label of scoreboard_auth_failures_total.")
    user = models.ForeignKey(User, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    api_key = models.ForeignKey(
        ApiKey, models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    address = models.CharField(max_length=64, help_text="A keyed hash.")
    subject = models.ForeignKey(User, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    action_type = models.CharField(max_length=50)
    request_id = models.CharField(max_length=64)
    detail = models.CharField(max_length=DETAIL)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)
    count = models.BigIntegerField()

    class Meta:
        db_table = "audit_log"
        verbose_name = "refusal"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.kind} at {self.first_at:%Y-%m-%d %H:%M}"
