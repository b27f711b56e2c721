"""The identity provider for a site that signs no tokens itself: we sign one when its server asks, with an API key.

A token is stored nowhere. It names the player and the key, and is good while both are: a disabled or erased player's,
and one that a revoked key asked for, is refused by the next call. The live side asks no database about it and knows the
viewer until the token ends.
"""

import hashlib
import hmac
import time
import uuid
from dataclasses import dataclass
from typing import Any

import jwt
from django.conf import settings
from django.db import transaction

from accounts import players
from accounts.identity.proofs import BadToken, Proof
from accounts.models import ApiKey, User
from api.problems import Problem

AUDIENCE = "scoreboard:viewer"
ALGORITHM = "HS256"
CLAIMS = ["aud", "exp", "iat", "key", "sub"]


@dataclass(frozen=True, slots=True)
class ViewerToken:
    token: str
    expires_in: int  # seconds


def make(key: ApiKey, player: str) -> ViewerToken:
    """A token for this player of the key's provider, who is made when seen for the first time.

    Raises Problem player-disabled for one who is disabled, or was banned and erased.
    """
    with transaction.atomic():  # a refusal makes no player
        user_id = players.ensure(key.provider, player)
        if not User.objects.filter(pk=user_id, is_active=True).exists():
            raise Problem("player-disabled", "The player is disabled or banned here.")
    now = int(time.time())
    lifetime = int(settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"].total_seconds())
    claims = {"aud": AUDIENCE, "sub": str(user_id), "key": str(key.pk), "iat": now, "exp": now + lifetime}
    return ViewerToken(jwt.encode(claims, secret(), algorithm=ALGORITHM), lifetime)


def secret() -> bytes:
    """Of these tokens alone: one of them is no sign-in, and no sign-in is one of them."""
    signing = str(settings.SIMPLE_JWT["SIGNING_KEY"]).encode()
    return hmac.digest(signing, b"scoreboard viewer token key 1", hashlib.sha256)


class ViewerTokens:
    def read(self, raw: str, said: dict[str, Any], *, wait: bool) -> Proof | None:
        if said.get("aud") != AUDIENCE:
            return None
        try:
            claims = jwt.decode(
                raw,
                secret(),
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                leeway=settings.JWT_LEEWAY,
                options={"require": CLAIMS, "strict_aud": True},
            )
            user_id, key = uuid.UUID(claims["sub"]), uuid.UUID(claims["key"])
            return Proof(float(claims["exp"]) + settings.JWT_LEEWAY, user_id, api_key=key)
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BadToken("The token is bad or expired.") from error
