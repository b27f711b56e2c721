"""Sign-ins over the API, sessions of the pages, and the address an account was signed up from."""

import uuid
from typing import TYPE_CHECKING, ClassVar

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    SignInManagerBase = models.Manager["SignIn"]
else:
    SignInManagerBase = models.Manager


class SignInManager(SignInManagerBase):
    def end(self, user_id: uuid.UUID, *, keep: uuid.UUID | None = None) -> int:
        """Ends every sign-in of this user but `keep`; returns how many. Their tokens are worth nothing from now on."""
        going_on = self.filter(user_id=user_id, ended_at=None)
        return (going_on.exclude(pk=keep) if keep else going_on).update(ended_at=timezone.now())


class SignIn(models.Model):
    """A sign-in over the API. Its tokens are stored nowhere; `jti` says which refresh token is good now."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="sign_ins")
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

    user = models.ForeignKey("accounts.User", models.CASCADE, null=True, related_name="sessions", db_constraint=False)

    class Meta(AbstractBaseSession.Meta):
        abstract = False
        db_table = "sessions"
        default_permissions = ()


class SignUpAddress(models.Model):
    """The hashed address of one account. Deleted some weeks after the sign-up."""

    user = models.OneToOneField("accounts.User", models.CASCADE, primary_key=True, related_name="sign_up_address")
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
