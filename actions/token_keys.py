"""The keys of action tokens, by id, as ACTION_TOKEN_KEYS names them; several at once, so that they can rotate."""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
DERIVED = "default"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key of ACTION_TOKEN_KEYS. `signing` is None for a key that only verifies (an Ed25519 public key)."""

    kid: str
    algorithm: str
    signing: bytes | Ed25519PrivateKey | None
    verifying: bytes | Ed25519PublicKey


def signing_key() -> SigningKey:
    """The first key that can sign."""
    return next(key for key in keys().values() if key.signing is not None)


def keys() -> dict[str, SigningKey]:
    """kid → key, in the order of ACTION_TOKEN_KEYS."""
    return parse_keys(tuple(settings.ACTION_TOKEN_KEYS), settings.SECRET_KEY)


@lru_cache(maxsize=8)
def parse_keys(specifications: tuple[str, ...], secret: str) -> dict[str, SigningKey]:
    """Keys from "kid:algorithm:base64" items; without any that signs, also an HS256 key derived from SECRET_KEY.

    Algorithms: HS256 (32 bytes or more), EdDSA (a 32-byte private seed), EdDSA-public (a 32-byte public key).
    Raises ValueError that names the faulty item and never its key.
    """
    parsed: dict[str, SigningKey] = {}
    for number, item in enumerate(specifications, start=1):
        kid, _, rest = item.partition(":")
        algorithm, separator, encoded = rest.partition(":")
        if not separator or not KEY_ID.fullmatch(kid):
            # It may be a bare key: nothing of it is shown.
            raise ValueError(f"ACTION_TOKEN_KEYS: item {number} is not of the form kid:algorithm:base64")
        if kid in parsed:
            raise ValueError(f"ACTION_TOKEN_KEYS: key id {kid!r} is used twice")
        parsed[kid] = parse_key(kid, algorithm, encoded)
    if all(key.signing is None for key in parsed.values()):
        if DERIVED in parsed:
            raise ValueError(f"ACTION_TOKEN_KEYS: {DERIVED!r} is the id of the key that this server makes itself")
        derived = hmac.digest(secret.encode(), b"scoreboard action token key 1", hashlib.sha256)
        parsed[DERIVED] = SigningKey(DERIVED, "HS256", derived, derived)
    return parsed


def parse_key(kid: str, algorithm: str, encoded: str) -> SigningKey:
    try:
        material = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f"ACTION_TOKEN_KEYS: key {kid!r} is not base64") from error
    if algorithm == "HS256":
        if len(material) < 32:
            raise ValueError(f"ACTION_TOKEN_KEYS: key {kid!r} has {len(material)} bytes, HS256 needs 32 or more")
        return SigningKey(kid, "HS256", material, material)
    if algorithm in ("EdDSA", "EdDSA-public"):
        if len(material) != 32:
            raise ValueError(f"ACTION_TOKEN_KEYS: key {kid!r} has {len(material)} bytes, Ed25519 needs 32")
        if algorithm == "EdDSA-public":
            return SigningKey(kid, "EdDSA", None, Ed25519PublicKey.from_public_bytes(material))
        private = Ed25519PrivateKey.from_private_bytes(material)
        return SigningKey(kid, "EdDSA", private, private.public_key())
    raise ValueError(f"ACTION_TOKEN_KEYS: key {kid!r} has algorithm {algorithm!r}; HS256, EdDSA or EdDSA-public")
