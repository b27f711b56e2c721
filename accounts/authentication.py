"""Who is asking: a Bearer JWT, for the site's own pages the Django session with CSRF, or a back end's X-API-Key.

`Account…` classes load the user: a token of somebody disabled, or made under another password, is refused at once.
`StatelessJWTAuthentication` believes the token's claims without SQL: mint checks both inside the statement it runs
anyway; redeem checks `is_active` there, and pays what was minted before to its owner; the live side checks neither, and
knows its viewers by the token until it expires (docs/security.md).
"""

import re
import uuid
from dataclasses import dataclass
from typing import Any

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.models import TokenUser
from rest_framework_simplejwt.settings import api_settings as simplejwt
from rest_framework_simplejwt.tokens import Token

from accounts import api_keys
from accounts.models import ApiKey
from api.problems import Problem
from api.throttles import Charge, charge_address, hit, parse

# What simplejwt raises for claims of the wrong kind under a good signature: whoever shares the key may sign anything.
MALFORMED = (KeyError, ValueError, TypeError, OverflowError, OSError)

MARK = re.compile(r"[0-9A-F]{32}", re.ASCII)


def password_mark(token: Token) -> str:
    """Which password the token was made under; "" for a token that does not say, which is no password's."""
    mark = token.get(simplejwt.REVOKE_TOKEN_CLAIM)
    return mark if isinstance(mark, str) and MARK.fullmatch(mark) else ""


class UUIDSubject:
    """Refuses tokens whose subject is not a UUID before SQL sees it; reads the scheme in any capitals (RFC 9110)."""

    def get_raw_token(self, header: bytes) -> bytes | None:
        scheme, _, rest = header.partition(b" ")
        raw: bytes | None = super().get_raw_token(b"Bearer " + rest if scheme.lower() == b"bearer" else header)  # type: ignore[misc]
        return raw

    def get_validated_token(self, raw_token: bytes) -> Token:
        try:
            token: Token = super().get_validated_token(raw_token)  # type: ignore[misc]
            uuid.UUID(str(token["sub"]))
        except MALFORMED as error:
            raise InvalidToken("The token names no user, or has a claim of the wrong kind.") from error
        return token


class AccountJWTAuthentication(UUIDSubject, JWTAuthentication):
    """Bearer JWT → User; a disabled or deleted user is refused with 401."""


class AccountSessionAuthentication(SessionAuthentication):
    """The site's own pages; CSRF is enforced by the base class."""


class StatelessUser(TokenUser):
    """A user known by claims alone: `id` is a UUID; nothing else is to be trusted for permissions."""

    @property
    def id(self) -> uuid.UUID:  # type: ignore[override]
        return uuid.UUID(str(self.token["sub"]))

    @property
    def pk(self) -> uuid.UUID:  # type: ignore[override]
        return self.id

    @property
    def password_mark(self) -> str:
        return password_mark(self.token)


class StatelessJWTAuthentication(UUIDSubject, JWTAuthentication):
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


class ApiKeyAuthentication(BaseAuthentication):
    """`X-API-Key` → BackEnd. Guesses are charged to their address; good keys to their own limit instead."""

    def authenticate(self, request: Request) -> tuple[BackEnd, ApiKey] | None:
        text = request.headers.get("X-API-Key")
        if text is None:
            return None
        key = api_keys.find(text)
        if key is None:
            charge_address(request._request, ("sign-in",))
            raise Problem("forbidden", "The API key is unknown, expired or revoked.")
        item = parse(key.limit)
        hit(Charge("api-key", item, (str(key.pk),)) if item else None)
        return BackEnd(key), key
