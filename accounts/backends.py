"""Signing in with a password: API, page and admin all come through here, so that no door is without the limit."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from accounts import attempts, local_accounts
from accounts.models import User
from api.client_address import UNKNOWN, client_address
from api.problems import Problem, note

NO_SUCH_ACCOUNT = "No active account has these credentials."


class PasswordBackend(ModelBackend):
    """Django's, which hashes once whether or not the account exists, is disabled or has a password at all."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        """Raises Problem rate-limited when the account's allowance is used up. Notes what it refuses."""
        if username is None or password is None:
            return None
        address = client_address(request) if request is not None else UNKNOWN
        account = attempts.charge_attempt(username, address)
        user = super().authenticate(request, username=username, password=password)
        if not isinstance(user, User) or not local_accounts.admits(user):
            note(Problem("not-authenticated", NO_SUCH_ACCOUNT, reason="password", subject=account))
            return None
        attempts.remember(user.pk, address)
        return user

    def get_user(self, user_id: Any) -> User | None:
        """Of a session, at each request."""
        user = super().get_user(user_id)
        return user if isinstance(user, User) and local_accounts.admits(user) else None
