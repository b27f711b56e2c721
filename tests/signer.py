"""A separate signer: it holds the private key, and the server only the public one."""

import base64
import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from accounts.models import User


class Signer:
    """Issues tokens as the contract says, or as `claims` and `headers` say instead."""

    def __init__(self, kid: str = "policy") -> None:
        self.kid = kid
        self.private = Ed25519PrivateKey.generate()
        self.public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def setting(self) -> str:
        """The item of ACTION_TOKEN_KEYS."""
        return f"{self.kid}:EdDSA-public:{base64.b64encode(self.public).decode()}"

    def claims(self, user: User, points: int = 50, action_type: str = "WIN_MATCH", **changes: Any) -> dict[str, Any]:
        """Claims as of now; a change to None leaves one out."""
        now = int(time.time())
        ordinary = {"jti": str(uuid.uuid4()), "sub": str(user.pk), "act": action_type, "pts": points}
        timed = {"iat": now, "exp": now + 120, "aud": "scoreboard:action"}
        return {name: value for name, value in {**ordinary, **timed, **changes}.items() if value is not None}

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        return jwt.encode(claims, self.private, algorithm="EdDSA", headers={"kid": self.kid, **headers})

    def body(self, user: User, points: int = 50, action_type: str = "WIN_MATCH", **changes: Any) -> dict[str, Any]:
        """What the player hands in for a token of these claims."""
        return handed_in(self.sign(claims := self.claims(user, points, action_type, **changes)), claims)


def handed_in(token: str, claims: dict[str, Any]) -> dict[str, Any]:
    """The body of `POST /score/update` that agrees with the claims."""
    return {
        "action_id": claims["jti"],
        "action_type": claims["act"],
        "action_token": token,
        "timestamp": time.time(),
    }
