"""The identity providers of sites that sign tokens themselves: the issuers that VIEWER_KEYS lists.

`sub` is the site's id of the user, `exp` at most a day ahead, `aud` the issuer's audience. The algorithm is the key's,
never the header's word: a shared secret is HS256, a key of a JWKS address RS256, ES256 or EdDSA.
"""

import ipaddress
import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import jwt
from django.conf import settings
from jwt.exceptions import InvalidSubjectError

from accounts.identity.key_sets import Key, KeySet
from accounts.identity.proofs import BadToken, Proof
from accounts.models import PROVIDER, SITE
from accounts.players import Reference, checked_player

LONGEST = 24 * 3600  # seconds that a token may be good for
MAX_TEXT = 255
MAX_SECRETS = 4
MIN_SECRET = 32
MEMBERS = {"issuer", "audience", "provider", "secret", "jwks"}
FORGED = "The token's signature is not one of its issuer's."


@dataclass(frozen=True, slots=True)
class Issuer:
    """One item of VIEWER_KEYS: `secrets`, of which any is good, or `jwks`, an address."""

    issuer: str
    audience: str
    provider: str
    secrets: tuple[str, ...]
    jwks: str | None


class IssuedTokens:
    """The tokens of one issuer."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.key_set = KeySet(issuer.jwks) if issuer.jwks else None

    def read(self, raw: str, said: dict[str, Any], *, wait: bool) -> Proof | None:
        if said.get("iss") != self.issuer.issuer:
            return None
        try:
            header = jwt.get_unverified_header(raw)
            claims = self.claims(raw, self.candidates(header, wait=wait))
            until = checked_end(claims["exp"])
            player = checked_player(claims["sub"])
        except jwt.ExpiredSignatureError as error:
            raise BadToken("The token has expired.") from error
        except jwt.ImmatureSignatureError as error:
            raise BadToken("The token is not good yet; is the clock of its issuer right?") from error
        except jwt.MissingRequiredClaimError as error:
            raise BadToken(f"The token has no `{error.claim}`.") from error
        except jwt.InvalidAudienceError as error:
            raise BadToken("The token's `aud` is another audience than VIEWER_KEYS names.") from error
        except InvalidSubjectError as error:
            raise BadToken("The token's `sub` is no text.") from error
        except jwt.InvalidSignatureError as error:
            raise BadToken(FORGED) from error
        except (jwt.InvalidTokenError, jwt.InvalidKeyError, TypeError, RecursionError) as error:
            raise BadToken("The token is malformed.") from error
        except ValueError as error:
            raise BadToken(f"The token's `sub` is no id of a player: {error}") from error
        return Proof(until + settings.JWT_LEEWAY, player=Reference(self.issuer.provider, player))

    def candidates(self, header: dict[str, Any], *, wait: bool) -> Iterable[Key]:
        """The keys with which it may be signed. Raises BadToken when there is none; KeysOutOfReach."""
        keys: list[Key] = [Key("HS256", secret) for secret in self.issuer.secrets]
        if self.key_set is not None:
            key = self.key_set.find(header.get("kid"), wait=wait)
            if key is None:
                raise BadToken("The token names a key that its issuer does not publish.")
            keys = [key]
        if header.get("alg") != keys[0].algorithm:
            raise BadToken("The token's algorithm is not that of its issuer's key.")
        return keys

    def claims(self, raw: str, keys: Iterable[Key]) -> dict[str, Any]:
        """Raises what PyJWT does."""
        error = jwt.InvalidSignatureError()
        for key in keys:
            try:
                return jwt.decode(
                    raw,
                    key.material,
                    algorithms=[key.algorithm],
                    audience=self.issuer.audience,
                    issuer=self.issuer.issuer,
                    leeway=settings.JWT_LEEWAY,
                    options={"require": ["exp", "sub", "aud", "iss"]},
                )
            except jwt.InvalidSignatureError as wrong:
                error = wrong
        raise error


def checked_end(end: Any) -> float:
    """`exp` as Unix seconds. Raises BadToken for no number, and for one more than a day ahead."""
    if type(end) not in (int, float):
        raise BadToken("The token's `exp` is no number.")
    if end > time.time() + LONGEST + settings.JWT_LEEWAY:
        raise BadToken("The token ends more than a day ahead.")
    return float(end)


def issued_tokens() -> tuple[IssuedTokens, ...]:
    """The provider of each issuer. Raises ValueError."""
    with making:  # else each thread that comes before the first is done makes, and fetches, its own
        return make(settings.VIEWER_KEYS)


making = threading.Lock()


@lru_cache(maxsize=8)  # and with each the keys it has fetched
def make(text: str) -> tuple[IssuedTokens, ...]:
    return tuple(IssuedTokens(issuer) for issuer in parse(text))


def parse(text: str) -> list[Issuer]:
    """The issuers that VIEWER_KEYS lists as JSON. Raises ValueError with a sentence that names the item, and never a
    secret."""
    if not text.strip():
        return []
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no JSON") from error
    if not isinstance(listed, list):
        raise ValueError("expected a JSON list, such as [{…}]")
    issuers = [parse_item(item, number) for number, item in enumerate(listed, start=1)]
    names = [issuer.issuer for issuer in issuers]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"issuer {name!r} is listed twice; one item takes a list of secrets")
    return issuers


def parse_item(item: Any, number: int) -> Issuer:
    where = f"item {number}"
    if not isinstance(item, dict):
        raise ValueError(f"{where}: expected an object")
    if unknown := sorted(set(item) - MEMBERS):
        raise ValueError(f"{where}: {unknown[0]!r} is no member; expected {', '.join(sorted(MEMBERS))}")
    issuer, audience, provider = item.get("issuer"), item.get("audience"), item.get("provider", SITE)
    for name, value in (("issuer", issuer), ("audience", audience)):
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT:
            raise ValueError(f"{where}: `{name}` is not a text of 1 to {MAX_TEXT} characters")
    if not isinstance(provider, str) or not PROVIDER.match(provider):
        raise ValueError(f"{where}: `provider` is not 1 to 32 small letters, digits, - and _, or it is `local`")
    if ("secret" in item) == ("jwks" in item):
        raise ValueError(f"{where}: expected `secret` or `jwks`, one of them")
    return Issuer(
        str(issuer),
        str(audience),
        provider,
        parse_secrets(item["secret"], where) if "secret" in item else (),
        parse_address(item["jwks"], where) if "jwks" in item else None,
    )


def parse_secrets(said: Any, where: str) -> tuple[str, ...]:
    secrets = said if isinstance(said, list) else [said]
    if not 1 <= len(secrets) <= MAX_SECRETS:
        raise ValueError(f"{where}: expected 1 to {MAX_SECRETS} secrets")
    if not all(isinstance(secret, str) and len(secret) >= MIN_SECRET for secret in secrets):
        raise ValueError(f"{where}: a secret is not a text of {MIN_SECRET} characters or more")
    return tuple(secrets)


def parse_address(said: Any, where: str) -> str:
    """An address from which keys can be had without anybody on the way changing them."""
    try:
        split = urlsplit(said if isinstance(said, str) else "")
        split.port  # noqa: B018  (it raises)
    except ValueError as error:
        raise ValueError(f"{where}: `jwks` is no address") from error
    host = split.hostname or ""
    if split.scheme not in ("https", "http") or not host or split.username is not None or not str(said).isascii():
        raise ValueError(f"{where}: `jwks` is not an https address")
    if split.scheme == "http" and not loopback(host):
        raise ValueError(f"{where}: `jwks` is not https; http is for this machine's own addresses alone")
    return str(said)


def loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
