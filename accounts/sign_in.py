"""Sign-up, sign-in, refresh with rotation, verify, logout: the serializers. The views are in account_views."""

import uuid
from contextlib import suppress
from typing import Any, cast

from django.contrib.auth import authenticate, password_validation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token, UntypedToken
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts import addresses
from accounts.authentication import MALFORMED, password_mark
from accounts.models import User
from accounts.names import MAX_LENGTH, validate_username
from api.fields import StrictSerializer, StrictText
from api.problems import Problem
from api.throttles import charge, hit

MAX_PASSWORD = 128  # characters: hashing is slow on purpose, and slower the longer the text


class StrictEmail(serializers.EmailField, StrictText):
    """A JSON string that is an e-mail address."""


@extend_schema_field({"type": "string", "format": "username", "minLength": 1, "maxLength": MAX_LENGTH})
class Username(StrictText):
    """A name that `validate_username` allows."""


@extend_schema_field({"type": "string", "format": "password", "minLength": 8, "maxLength": MAX_PASSWORD})
class NewPassword(StrictText):
    """A password that AUTH_PASSWORD_VALIDATORS allow."""


class RegisterSerializer(StrictSerializer):
    username = Username(
        max_length=MAX_LENGTH,
        validators=[validate_username],
        help_text="Any script and emoji, in normal form C; nothing invisible, no outer or double spaces.",
    )
    email = StrictEmail(max_length=254)
    password = NewPassword(max_length=MAX_PASSWORD, help_text="Not a common one, not all digits, not like the name.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        candidate = User(username=attrs["username"], email=attrs["email"])
        try:
            password_validation.validate_password(attrs["password"], candidate)
        except DjangoValidationError as error:
            raise serializers.ValidationError({"password": error.messages}) from error
        return attrs


def register(username: str, email: str, password: str, address: str | None = None) -> User:
    """Creates a player; raises ValidationError when the name or the e-mail address is taken, in any capitals.

    `address`: `addresses.address_digest` of where the sign-up comes from, kept for a while.

    The unique indexes decide, not a look beforehand: two sign-ups for one name at one moment leave one player.
    """
    try:
        with transaction.atomic():
            user = User.objects.create_user(username, email, password)
            addresses.remember(user.pk, address)
            return user
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        taken = {"users_username_key": "username", "users_email_key": "email"}.get(constraint or "")
        if taken is None:
            raise
        raise serializers.ValidationError({taken: ["Already in use."]}) from error


class SignInSerializer(StrictSerializer):
    username = StrictText(max_length=MAX_LENGTH)
    password = StrictText(max_length=MAX_PASSWORD)


class RefreshSerializer(StrictSerializer):
    refresh = StrictText(max_length=4096)


class VerifySerializer(StrictSerializer):
    token = StrictText(max_length=4096)


def sign_in(username: str, password: str, request: HttpRequest | None = None) -> dict[str, str]:
    """A new token pair; raises 401 for a wrong name, a wrong password and a disabled user alike.

    429 when the account's allowance is used up, whether or not there is such an account.
    """
    user = authenticate(request, username=username, password=password)
    if user is None:
        raise Problem("not-authenticated", "No active account has these credentials.")
    return pair(RefreshToken.for_user(user))


def rotate(raw: str) -> dict[str, str]:
    """Spends a refresh token and returns a new pair.

    Raises 401 if it is bad, expired, spent or older than the password, or its user disabled; 429 like every call of a
    signed-in user.

    The blacklist's unique row decides: of two rotations of one token at the same moment one gets a pair.
    """
    old = refresh_token(raw)
    user = bearer(old)
    hit(charge("user", str(user.pk)))
    _, spent_now = cast(tuple[Any, bool], old.blacklist())
    if not spent_now:
        raise Problem("not-authenticated", "The refresh token is already used.")
    return pair(RefreshToken.for_user(user))


def sign_out(raw: str) -> None:
    """Blacklists a refresh token; a second time is no error. Raises 401 if it is no valid refresh token."""
    with suppress(AlreadySpent):
        refresh_token(raw).blacklist()


def verify(raw: str) -> None:
    """Raises 401 unless `raw` is a valid access token or an unspent refresh token of somebody who may still use it."""
    try:
        kind = UntypedToken(raw)["token_type"]  # type: ignore[arg-type]
        if kind == "refresh":
            bearer(refresh_token(raw))  # looks into the blacklist
        else:
            access = AccessToken(raw)  # type: ignore[arg-type]
            uuid.UUID(str(access["sub"]))
            bearer(access)
    except (TokenError, *MALFORMED) as error:
        raise Problem("not-authenticated", "The token is bad, expired or blacklisted.") from error


def bearer(token: Token) -> User:
    """Whose token this is; raises 401 for a user who is disabled or gone, or has another password since."""
    user = User.objects.filter(pk=token["sub"], is_active=True).first()
    if user is None:
        raise Problem("not-authenticated", "The user is disabled or gone.")
    if password_mark(token) != get_md5_hash_password(user.password):
        raise Problem("not-authenticated", "The password was changed; sign in again.")
    return user


class AlreadySpent(Problem):
    """401 for a refresh token on the blacklist."""


def refresh_token(raw: str) -> RefreshToken:
    """The valid, unspent refresh token; raises 401, AlreadySpent for one that was good once."""
    try:
        token = RefreshToken(raw)  # type: ignore[arg-type]
        uuid.UUID(str(token["sub"]))
        return token
    except (TokenError, *MALFORMED) as error:
        refusal = AlreadySpent if "blacklisted" in str(error) else Problem
        raise refusal("not-authenticated", "The refresh token is bad, expired or already used.") from error


def pair(refresh: RefreshToken) -> dict[str, str]:
    return {"access": str(refresh.access_token), "refresh": str(refresh)}
