"""Users: players and admins. The trigger that keeps an erased user erased is in sql/, installed by the migrations."""

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.validators import URLValidator
from django.db import models, transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from accounts.models.sign_ins import SignIn
from accounts.names import MAX_LENGTH, skeleton, validate_username

if TYPE_CHECKING:
    UserManagerBase = UserManager["User"]
    TextField = models.TextField[str | None, str | None]
    CharField = models.CharField[str | None, str | None]
else:
    UserManagerBase = UserManager
    TextField, CharField = models.TextField, models.CharField

LOCAL, SITE = "local", "site"  # providers: the sign-up here, and what a key names unless it names another
BACK_END = "back-end"  # the provider of the rows under which the history has what back ends give


class NullCharField(CharField):
    """Text or NULL: no id is not an empty one."""


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

    Who signed up here has the provider `local` and signs in with the username. A player of a site that has its own
    users is known by the site's provider and the site's id (`external_id`), has neither e-mail address nor password,
    and a username that only fills the column (accounts/sql/players.sql). `display_name` is what is shown, and may equal
    another player's.

    A trigger raises `user_scores.version` whenever a column that a board shows changes, by any statement.
    Username, skeleton, email and external id are unique by expression or partial indexes only: an update of a column
    with a plain unique index takes a row lock that collides with the history's foreign key and could deadlock with the
    ledger.
    """

    class Role(models.TextChoices):
        PLAYER = "player"
        MODERATOR = "moderator"
        ADMIN = "admin"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.CharField(max_length=32, default=LOCAL, db_default=LOCAL, editable=False)
    external_id = NullCharField(max_length=255, null=True, editable=False, help_text="The provider's id of the player.")
    username = models.CharField(max_length=MAX_LENGTH, validators=[validate_username])
    display_name = models.CharField(
        max_length=MAX_LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text="What is shown; empty: the username, or “Player” and the end of the id.",
    )
    skeleton = SkeletonField(null=True, editable=False)
    email = models.EmailField(max_length=254)
    email_confirmed_at = models.DateTimeField(null=True, editable=False)
    avatar_url = models.CharField(
        max_length=500, blank=True, default="", validators=[URLValidator(schemes=["http", "https"])]
    )
    region = models.CharField(max_length=32, blank=True, default="")
    attributes = models.JSONField(
        blank=True,
        default=dict,
        db_default=Value({}, models.JSONField()),
        help_text="As they are declared under Player attributes.",
    )
    role = models.CharField(
        max_length=16,
        choices=Role,
        default=Role.PLAYER,
        help_text="Moderators give bonuses and read histories over the API; admins may also enter this site.",
    )
    is_hidden = models.BooleanField(
        default=False, help_text="Hidden players keep their points and history but are on no board."
    )
    opted_out = models.BooleanField(
        default=False,
        db_default=False,
        help_text="The player, or the player's own site, wishes to be on no board; points and history are kept.",
    )
    erased_at = models.DateTimeField(null=True, editable=False, help_text="Since then the row is no person's.")
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
                Lower("email"),
                name="users_email_key",
                condition=~Q(email=""),
                violation_error_message="This address is in use.",
            ),
            models.UniqueConstraint(
                fields=["provider", "external_id"],
                name="users_external_key",
                condition=Q(external_id__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(provider=LOCAL, external_id=None)
                | Q(external_id__isnull=False) & ~Q(provider=LOCAL)
                | Q(erased_at__isnull=False, external_id=None),
                name="users_external_id",
            ),
            # The last word on who can sign in, whatever the code above it does.
            models.CheckConstraint(
                condition=Q(provider=LOCAL) | Q(email="", password__startswith="!", role="player"),  # noqa: S106
                name="users_of_others_cannot_sign_in",
                violation_error_message="A player of another site has no password, no address and no rights here.",
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
                violation_error_message="This player was erased and cannot be brought back.",
            ),
        ]
        indexes = [
            # Those that no board shows: the few that a board of the past leaves out of its number of players.
            models.Index(
                fields=["id"], name="users_unseen", condition=~Q(is_active=True, is_hidden=False, opted_out=False)
            ),
        ]
        permissions = [("hide_user", "Can hide players from the boards")]

    def __str__(self) -> str:
        return self.shown_name

    @property
    def shown_name(self) -> str:
        """What boards, API, pushes and admin show; `player_name` in SQL."""
        if self.display_name or self.provider == LOCAL:
            return self.display_name or self.username
        return f"Player {str(self.pk)[-4:]}"

    @property
    def visible(self) -> bool:
        """Whether boards may show this player; `player_visible` in SQL."""
        return self.is_active and not self.is_hidden and not self.opted_out

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
