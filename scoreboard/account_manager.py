"""Finding an account by the name that somebody typed."""

from typing import TYPE_CHECKING

from django.contrib.auth.models import UserManager
from django.db.models import QuerySet, Value
from django.db.models.functions import Lower

if TYPE_CHECKING:
    from scoreboard.models import User

    Base = UserManager[User]
else:
    Base = UserManager


class AccountManager(Base):
    def named(self, username: str) -> "QuerySet[User]":
        """The account with this name in any capitals, as the unique index knows it.

        Not `iexact`, which compares in capitals: "kim" with and without its dot are one word in capitals, two in small
        letters, which the index compares; so both can sign up, and neither could sign in. And the index answers this.
        """
        return self.alias(small=Lower("username")).filter(small=Lower(Value(username)))

    def get_by_natural_key(self, username: str | None) -> "User":
        """Sign-in ignores capitals, as uniqueness does."""
        return self.named(username or "").get()
