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

from actions import token_keys
from actions.models import Grant
from api.problems import Problem
from api.throttles import allowance, used_up
from api.timing import named

MAX_TOKEN_LENGTH = 2048  # characters; ours have about 350
# Python's base64 decoder skips what it does not know: without this, one token would have many spellings.
COMPACT_JWS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
MAX_CLAIM = 2**37  # as a time, the year 6325: later ones are no datetime, and no honest signer's
CLAIMS = ("jti", "sub", "act", "pts", "iat", "exp", "aud")

MINT = named(
    "mint",
    """
SELECT outcome, points, issued_at, expires_at, policy, amount, seconds, wait_seconds
  FROM action_mint(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
""",
)


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
    user_id: uuid.UUID, action_type: str, *, points: int | None = None, issued_by: uuid.UUID | None = None
) -> Minted:
    """Issues a token on the word of a trusted back end: its row, then its signature.

    `points`, inside the type's bounds; None: the catalogue's. `issued_by`: the API key.
    Raises Problem: 404 no such user or type, 403 player-disabled, not-yours-to-grant (a separate signer's type) or
    forbidden (staff);
    ValidationError for points outside the bounds.
    """
    return issue(user_id, action_type, Grant.BACK_END, points=points, issued_by=issued_by)


def mint_own(user_id: uuid.UUID, action_type: str, *, sign_in: uuid.UUID | None = None) -> Minted:
    """Issues a token to a player who asks for it, within the limits of the type and of LIMIT_ACTIONS.

    `sign_in`: of the JWT, which must go on.
    Raises Problem: 401 unknown or disabled user or ended sign-in, 403 not-yours-to-grant or forbidden (staff), 404 no
    such type, 429 a limit is used up.
    """
    return issue(user_id, action_type, Grant.PLAYER, sign_in=sign_in)


def issue(
    user_id: uuid.UUID,
    action_type: str,
    granted_by: Grant,
    *,
    points: int | None = None,
    issued_by: uuid.UUID | None = None,
    sign_in: uuid.UUID | None = None,
) -> Minted:
    """The token, if action_mint (sql/mint.sql) has written its row."""
    action_id = uuid.uuid4()
    most, seconds = allowance("actions") or (None, None)
    limits = (most, seconds, settings.APPROVE_TYPE_POINTS)
    with connection.cursor() as cursor:
        cursor.execute(MINT, [action_id, user_id, action_type, points, granted_by, issued_by, sign_in, *limits])
        outcome, minted_points, issued_at, expires_at, *limit = cursor.fetchone()
    if outcome == "rate-limited":
        raise used_up(*limit)
    if outcome == "points-out-of-bounds":
        raise ValidationError({"points": ["Outside the bounds of this action type."]})
    if outcome == "measure":
        raise ValidationError({"action_type": ["It is a measure: award it, with a `value`; tokens grant points."]})
    if outcome != "minted":
        kind, sentence = REFUSALS[outcome]
        if kind == "not-authenticated" and granted_by == Grant.BACK_END:
            raise Problem("not-found", "There is no such user.")
        raise Problem(kind, sentence)
    return Minted(
        action_id=action_id,
        action_type=action_type,
        points=minted_points,
        action_token=sign(action_id, user_id, action_type, minted_points, issued_at, expires_at),
        issued_at=issued_at,
        expires_at=expires_at,
    )


REFUSALS = {
    "player-disabled": ("player-disabled", "The player is disabled or banned here."),
    "not-authenticated": ("not-authenticated", "The user is disabled or gone."),
    "sign-in-ended": ("not-authenticated", "The sign-in has ended; sign in again."),
    "unknown-type": ("not-found", "There is no such action type."),
    "not-yours-to-grant": ("not-yours-to-grant", "This action type is granted by others: `granted_by` says by whom."),
    "staff": ("forbidden", "Moderators and admins earn no points."),
}


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
