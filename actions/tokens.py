"""Action tokens: minting and verifying. A token is a compact JWS (RFC 7515) whose `jti` names a row to be spent.

Algorithms are pinned to keys: the header's `alg` is compared with the key's, never obeyed (RFC 8725 section 3.1).
"""

import math
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
from django.conf import settings
from django.db import connection
from rest_framework.exceptions import ValidationError

from accounts.models import SignIn, User
from actions import allowances, catalog, token_keys
from actions.models import ActionToken, ActionType
from api.problems import Problem

MAX_TOKEN_LENGTH = 2048  # characters; ours have about 350
# Python's base64 decoder skips what it does not know: without this, one token would have many spellings.
COMPACT_JWS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
MAX_CLAIM = 2**37  # as a time, the year 6325: later ones are no datetime, and no honest signer's
CLAIMS = ("jti", "sub", "act", "pts", "iat", "exp", "aud")

# The points are read here and now, never from a cache; those a back end asks for must lie inside the type's bounds.
MINT = """
INSERT INTO action_tokens (id, user_id, action_type, points, issued_at, not_before, expires_at, issued_by)
SELECT %(id)s, u.id, a.slug, coalesce(%(points)s, a.points), now(), now() + make_interval(secs => a.min_seconds),
       now() + make_interval(secs => a.token_lifetime), %(issued_by)s
  FROM users u, action_types a
 WHERE u.id = %(user)s AND u.is_active AND a.slug = %(action_type)s AND a.enabled
   AND (%(sign_in)s::uuid IS NULL
        OR EXISTS (SELECT FROM sign_ins s WHERE s.id = %(sign_in)s AND s.user_id = u.id AND s.ended_at IS NULL))
   AND coalesce(%(points)s, a.points) BETWEEN coalesce(a.min_points, a.points) AND coalesce(a.max_points, a.points)
RETURNING points, issued_at, expires_at
"""


@dataclass(frozen=True, slots=True)
class Minted:
    """A fresh token. Times are PostgreSQL's, the only clock that later judges the token."""

    action_id: uuid.UUID
    action_type: str
    points: int
    action_token: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token whose signature is good says; whether it can still be spent, its row decides."""

    action_id: uuid.UUID
    user_id: uuid.UUID
    action_type: str
    points: int
    issued_at: int  # Unix seconds
    expires_at: int
    separate: bool  # signed by a separate signer: there may be no row yet


def mint(
    user_id: uuid.UUID,
    action_type: str,
    *,
    points: int | None = None,
    issued_by: uuid.UUID | None = None,
    sign_in: uuid.UUID | None = None,
) -> Minted:
    """Inserts the token's row, charges the player's allowance and signs the token.

    In this order, because the statement knows whether the caller may mint at all: a JWT of a sign-in that has ended
    must not use up its owner's allowance. A row whose token was never signed is worth nothing, and is taken away again.

    `points` and `issued_by` (an API key) are a trusted back end's; players get the catalogue's points. `sign_in` is
    a JWT's: it must go on.
    Raises Problem: 401 unknown or disabled user (404 for a back end) or ended sign-in, 403 if only a separate signer
    issues tokens, 404 no such type, 429 allowance used up; ValidationError for points outside the type's bounds.
    """
    token_keys.signing_key()
    charged = catalog.find(action_type)
    action_id = uuid.uuid4()
    asked: dict[str, Any] = {
        "id": action_id,
        "user": user_id,
        "action_type": action_type,
        "points": points,
        "issued_by": issued_by,
        "sign_in": sign_in,
    }
    with connection.cursor() as cursor:
        cursor.execute(MINT, asked)
        row = cursor.fetchone()
    if row is None:
        raise refusal(user_id, action_type, points, issued_by, sign_in)
    try:
        allowances.charge_mint(user_id, charged)
    except Problem:
        ActionToken.objects.filter(pk=action_id).delete()
        raise
    points, issued_at, expires_at = row
    return Minted(
        action_id=action_id,
        action_type=action_type,
        points=points,
        action_token=sign(action_id, user_id, action_type, points, issued_at, expires_at),
        issued_at=issued_at,
        expires_at=expires_at,
    )


def refusal(
    user_id: uuid.UUID, action_type: str, points: int | None, issued_by: uuid.UUID | None, sign_in: uuid.UUID | None
) -> Problem | ValidationError:
    """Why the mint statement found nothing to insert."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        if issued_by:
            return Problem("not-found", "There is no such active user.")
        return Problem("not-authenticated", "The user is disabled or gone.")
    if sign_in is not None and not SignIn.objects.filter(pk=sign_in, user=user, ended_at=None).exists():
        return Problem("not-authenticated", "The sign-in has ended; sign in again.")
    if points is not None and ActionType.objects.filter(slug=action_type, enabled=True).exists():
        return ValidationError({"points": ["Outside the bounds of this action type."]})
    if not ActionType.objects.filter(slug=action_type, enabled=True).exists():
        return Problem("not-found", "There is no such action type.")
    return Problem("unavailable", "The catalogue is changing; try again.", headers={"Retry-After": "1"})


def sign(
    action_id: uuid.UUID,
    user_id: uuid.UUID,
    action_type: str,
    points: int,
    issued_at: datetime,
    expires_at: datetime,
) -> str:
    """The compact JWS of these claims under the first configured key."""
    key = token_keys.signing_key()
    if key.signing is None:
        raise AssertionError("signing_key returns a key that signs")
    claims = {
        "jti": str(action_id),
        "sub": str(user_id),
        "act": action_type,
        "pts": points,
        "iat": math.floor(issued_at.timestamp()),
        "exp": math.ceil(expires_at.timestamp()),
        "aud": settings.ACTION_TOKEN_AUDIENCE,
    }
    return jwt.encode(claims, key.signing, algorithm=key.algorithm, headers={"kid": key.kid, "typ": "JWT"})


def verify(token: str) -> Claims:
    """The claims of a token whose signature is good; raises Problem token-invalid otherwise.

    Expiry is not judged here: a repeat of a redeemed token answers 409 with the first outcome even after it.
    """
    if len(token) > MAX_TOKEN_LENGTH or not COMPACT_JWS.fullmatch(token):
        raise invalid("it is not a compact JWS of ours")
    try:
        header = jwt.get_unverified_header(token)
        key = token_keys.keys().get(header.get("kid", ""))
        if key is None or header.get("alg") != key.algorithm:
            raise invalid("its key is unknown, or its algorithm is not that key's")
        claims = jwt.decode(
            token,
            key.verifying,
            algorithms=[key.algorithm],
            audience=settings.ACTION_TOKEN_AUDIENCE,
            options={"require": list(CLAIMS), "verify_exp": False, "verify_iat": False, "strict_aud": True},
        )
        return typed(claims, separate=key.signing is None)
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
        raise invalid("its signature or its claims are wrong") from error


def typed(claims: dict[str, Any], separate: bool) -> Claims:
    """Claims of exactly the types we sign; raises ValueError or TypeError."""
    points, issued_at, expires_at, action_type = claims["pts"], claims["iat"], claims["exp"], claims["act"]
    numbers = (points, issued_at, expires_at)
    if any(type(number) is not int or not 0 <= number < MAX_CLAIM for number in numbers):
        raise TypeError("a number is not one of ours")
    if type(action_type) is not str or type(claims["sub"]) is not str or type(claims["jti"]) is not str:
        raise TypeError("a name is not text")
    user_id = uuid.UUID(claims["sub"])
    return Claims(uuid.UUID(claims["jti"]), user_id, action_type, points, issued_at, expires_at, separate)


def invalid(why: str) -> Problem:
    return Problem("token-invalid", f"The action token is not valid: {why}.")
