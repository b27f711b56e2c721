"""New passwords: with the old one, or with a token that was mailed. Each ends all other sign-ins and sessions.

`User.save` ends the sign-ins; a session ends because it knows the hash of the former password.
"""

import uuid
from collections.abc import Callable
from typing import Any, cast

from django.contrib.auth import update_session_auth_hash
from django.core import signing
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework import serializers

from accounts import attempts
from accounts.models import SignIn, User
from accounts.serializers import allowed_password
from api.client_address import client_address
from api.problems import Problem, note

RESET_SECONDS = 3600
CONFIRM_SECONDS = 7 * 86_400
RESET, CONFIRM = "accounts.passwords.reset", "accounts.passwords.confirm"
BAD_TOKEN = "This is no token that was mailed, or it has expired or was used; ask for another."  # noqa: S105


def prove(user: User, password: str, field: str, request: HttpRequest) -> None:
    """Raises ValidationError at `field` unless this is the user's password.

    It is a guess like one at sign-in, under the account's allowance: a stolen session must not try them all. Raises
    Problem rate-limited.
    """
    attempts.charge_attempt(user.username, client_address(request))
    if not user.check_password(password):
        note(Problem("not-authenticated", "This is not the user's password.", reason="password", subject=user.pk))
        raise serializers.ValidationError({field: ["This is not your password."]})


def change(user: User, old: str, new: str, request: HttpRequest, keep: uuid.UUID | None = None) -> None:
    """Sets a new password; the session of the request, or the sign-in `keep`, goes on.

    Raises ValidationError: `old` is wrong, `new` not allowed, or both; Problem rate-limited.
    """
    judged(lambda: prove(user, old, "old", request), lambda: allowed(user, new))
    if not replaced(user, new, keep):
        raise serializers.ValidationError({"old": ["The password was changed just now."]})
    if keep is None:
        update_session_auth_hash(request, user)


def reset(token: str, new: str) -> User:
    """Sets a new password for whom the token was mailed to. Raises ValidationError: `token` is not good, `new` neither.

    Good once, for the token knows the password that it replaces; of two uses at one moment one succeeds.
    """
    user = mailed_to(token, RESET, RESET_SECONDS)
    judged(lambda: good(user), lambda: allowed(user or User(), new))
    if user is None or not replaced(user, new):
        raise bad_token(user)
    confirmed(user)  # who has the token reads the mail
    return user


def good(user: User | None) -> None:
    if user is None:
        raise bad_token(user)


def allowed(user: User, new: str) -> None:
    try:
        allowed_password(new, user)
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"new": error.detail}) from error


def judged(*judges: Callable[[], None]) -> None:
    """Raises one ValidationError with what all of them have against it, so that all that is wrong is told at once."""
    refusals: dict[str, Any] = {}
    for judge in judges:
        try:
            judge()
        except serializers.ValidationError as error:
            refusals |= cast(dict[str, Any], error.detail)
    if refusals:
        raise serializers.ValidationError(refusals)


def replaced(user: User, new: str, keep: uuid.UUID | None = None) -> bool:
    """Whether the password could be set: not if it is another one by now than `user` was read with."""
    former = user.password
    user.set_password(new)  # hashes, which takes its time, before anything is locked
    with transaction.atomic():
        same = User.objects.select_for_update(no_key=True).filter(pk=user.pk, is_active=True, password=former)
        if not same.values_list("pk", flat=True):
            return False
        user.save(update_fields=["password"], keep=keep)
    return True


def sign_out_everywhere(user: User) -> None:
    """Ends every sign-in and every session, also the one that asks."""
    user.session_key = uuid.uuid4()
    with transaction.atomic():
        user.save(update_fields=["session_key"])
        SignIn.objects.end(user.pk)


# --- tokens that are mailed


def token_for(user: User, purpose: str) -> str:
    """A token that proves that its reader reads the user's mail; ended by another password or address."""
    return signing.dumps({"user": str(user.pk), "mark": mark(user, purpose)}, salt=purpose)


def mailed_to(token: str, purpose: str, seconds: int) -> User | None:
    """The active user for whom this token was made, not longer ago than that; None for any other text."""
    try:
        said = signing.loads(token, salt=purpose, max_age=seconds)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=said["user"], is_active=True).first()
    return user if user is not None and constant_time_compare(said["mark"], mark(user, purpose)) else None


def mark(user: User, purpose: str) -> str:
    """What has to be as it was when the token was made. "Sign out everywhere" ends a reset as well."""
    parts = [user.email] if purpose == CONFIRM else [user.email, user.password, str(user.session_key)]
    return salted_hmac(purpose, "\n".join(parts), algorithm="sha256").hexdigest()


def confirm_email(token: str, user: User | None = None) -> None:
    """Keeps that the mail was read. Raises ValidationError for a token that is not good, or not `user`'s if given."""
    found = mailed_to(token, CONFIRM, CONFIRM_SECONDS)
    if found is None or (user is not None and found.pk != user.pk):
        raise bad_token(found)
    confirmed(found)


def bad_token(user: User | None) -> serializers.ValidationError:
    """The refusal, noted. `user`: for whom the token was made, if that is known."""
    note(Problem("not-authenticated", BAD_TOKEN, reason="mailed-token", subject=user.pk if user else None))
    return serializers.ValidationError({"token": [BAD_TOKEN]})


def confirmed(user: User) -> None:
    User.objects.filter(pk=user.pk, email=user.email, email_confirmed_at=None).update(email_confirmed_at=timezone.now())
