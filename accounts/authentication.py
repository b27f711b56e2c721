"""Who is asking: a Bearer JWT, for the site's own pages the Django session with CSRF, or a back end's API key.

`Account…` classes load the user and see to the sign-in: a token of a disabled user, or of an ended sign-in, is refused
at once. `StatelessJWTAuthentication` believes the token's claims without SQL: mint checks both inside the
statement it runs anyway; redeem checks `is_active` there, and pays what was minted before to its owner; the live side
checks neither, and knows its viewers by the token until it expires (docs/security.md).
"""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.models import TokenUser
from rest_framework_simplejwt.tokens import Token

from accounts import api_keys
from accounts.models import ApiKey, User
from api.client_address import client_address
from api.credentials import presented_key
from api.problems import Problem, note
from api.refusals import Caller
from api.throttles import Charge, charge_address, hit, parse

# What simplejwt raises for claims of the wrong kind under a good signature: a signer with the key may sign anything.
MALFORMED = (KeyError, ValueError, TypeError, OverflowError, OSError)


def user_id(token: Token) -> uuid.UUID:
    return uuid.UUID(str(token["sub"]))


def sign_in_id(token: Token) -> uuid.UUID:
    return uuid.UUID(str(token["sid"]))


def checked(token: Token) -> Token:
    """The token, if it names a user and a sign-in; raises one of MALFORMED before SQL sees what is no UUID."""
    user_id(token), sign_in_id(token)
    if not isinstance(token["jti"], str):
        raise TypeError("the id is not text")
    return token


def going_on(token: Token, **sign_in: Any) -> QuerySet[User]:
    """Its user, if they are active and its sign-in goes on; `sign_in`: further conditions on the same row."""
    same_row = {"pk": sign_in_id(token), "ended_at": None, **sign_in}
    return User.objects.filter(
        pk=user_id(token), is_active=True, **{f"sign_ins__{name}": value for name, value in same_row.items()}
    )


class OurTokens:
    """Refuses tokens that name no user or no sign-in; reads the scheme in any capitals (RFC 9110)."""

    def get_raw_token(self, header: bytes) -> bytes | None:
        scheme, _, rest = header.partition(b" ")
        raw: bytes | None = super().get_raw_token(b"Bearer " + rest if scheme.lower() == b"bearer" else header)  # type: ignore[misc]
        return raw

    def get_validated_token(self, raw_token: bytes) -> Token:
        try:
            return checked(super().get_validated_token(raw_token))  # type: ignore[misc]
        except MALFORMED as error:
            raise InvalidToken("The token names no sign-in, or has a claim of the wrong kind.") from error


class AccountJWTAuthentication(OurTokens, JWTAuthentication):
    """Bearer JWT → User, in one query; 401 for a disabled or deleted user, and for a sign-in that has ended."""

    def get_user(self, validated_token: Token) -> Any:
        user = going_on(validated_token).first()
        if user is None:
            said = "The sign-in has ended, or the user is disabled or gone."
            raise Problem("not-authenticated", said, reason="sign-in-ended", subject=user_id(validated_token))
        return user


class AccountSessionAuthentication(SessionAuthentication):
    """The site's own pages; CSRF is enforced by the base class."""


class StatelessUser(TokenUser):
    """A user known by claims alone: `id` is a UUID; nothing else is to be trusted for permissions."""

    @property
    def id(self) -> uuid.UUID:  # type: ignore[override]
        return user_id(self.token)

    @property
    def pk(self) -> uuid.UUID:  # type: ignore[override]
        return self.id

    @property
    def sign_in(self) -> uuid.UUID:
        return sign_in_id(self.token)


class StatelessJWTAuthentication(OurTokens, JWTAuthentication):
    """Bearer JWT → StatelessUser, without a query."""

    def get_user(self, validated_token: Token) -> Any:
        return StatelessUser(validated_token)

    def authenticate(self, request: Request) -> tuple[Any, Token] | None:
        return super().authenticate(request)


@dataclass(frozen=True, slots=True)
class BackEnd:
    """A trusted back end, known by its API key. Its limit is the key's own."""

    key: ApiKey
    is_authenticated: bool = True
    has_own_limit: bool = True

    @property
    def pk(self) -> uuid.UUID:
        return self.key.pk

    def charge(self, uses: int) -> None:
        """Takes so many uses from the key's limit at once, or none. Raises Problem rate-limited."""
        item = parse(self.key.limit)
        hit(Charge("api-key", item, (str(self.key.pk),), uses) if item and uses else None)

    def charge_batch(self, entries: int) -> None:
        """The rest of what a batch uses, for the call itself was charged. Raises ValidationError for one that can never
        be within the limit."""
        item = parse(self.key.limit)
        if item and entries > item.amount:
            sentence = f"More entries than the limit of this key ({self.key.limit}) ever allows: send smaller batches."
            raise ValidationError({"awards": [sentence]})
        self.charge(entries - 1)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sb_…` or `X-API-Key` → BackEnd.

    Guesses are charged to their address; good keys to their own limit instead.
    """

    def authenticate(self, request: Request) -> tuple[BackEnd, ApiKey] | None:
        text = presented_key(request)
        if text is None:
            return None
        key = api_keys.find(text)
        if key is None:
            charge_address(request._request, ("sign-in",))
            raise Problem("forbidden", "The API key is unknown, expired or revoked.", reason="api-key")
        back_end = BackEnd(key)
        try:
            back_end.charge(1)
        except Problem as refusal:
            note(refusal, Caller(api_key=key.pk, address=client_address(request._request)))
            raise
        return back_end, key
