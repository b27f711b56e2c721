"""What proves who a viewer is: a token of an identity provider, or the site's own session.

A token that was made here costs no query. What has to be looked up, a session or the player of a site's own token, is:
one look, in a thread that nothing else waits for. A token whose key has to be fetched first waits in other threads.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

import structlog
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.http import HttpRequest
from django.utils.module_loading import import_string

from accounts.identity import providers
from accounts.identity.proofs import BadToken, KeysOutOfReach, Proof
from accounts.models import User
from accounts.players import Reference

log = structlog.get_logger(__name__)

_database = ThreadPoolExecutor(max_workers=1, thread_name_prefix="identity")
_keys = ThreadPoolExecutor(max_workers=2, thread_name_prefix="issuer-keys")

T = TypeVar("T")


class NotAuthenticated(Exception):
    """Credentials were given and are not valid; the message says what is wrong with them."""


class Unknown(Exception):
    """Who it is cannot be looked up just now."""


@dataclass(frozen=True, slots=True)
class Identity:
    """`until`: Unix seconds after which it must be proved again."""

    user_id: str
    until: float


class Source(Protocol):
    """What a look tells the identity from, and can again when its time is over."""

    reason: ClassVar[str]

    async def look(self) -> Identity:
        """Raises NotAuthenticated, Unknown."""


class Session:
    """The cookie's value."""

    __slots__ = ("key",)
    reason: ClassVar[str] = "session"

    def __init__(self, key: str) -> None:
        self.key = key

    async def look(self) -> Identity:
        user_id = await in_thread(_database, lambda: session_user(self.key))
        if user_id is None:
            raise NotAuthenticated("The session is not signed in.")
        return Identity(user_id, believed_until())


class SiteToken:
    """A site's own token. `raw` is kept until its key is there, then the proof, then our id of the player: a player who
    was erased meanwhile is not made anew."""

    __slots__ = ("proof", "raw", "user_id")
    reason: ClassVar[str] = "token"

    def __init__(self, raw: str, proof: Proof | None) -> None:
        self.raw, self.proof = "" if proof else raw, proof
        self.user_id: str | None = None

    async def look(self) -> Identity:
        if self.proof is None:
            self.proof, self.raw = await in_thread(_keys, lambda: proved(self.raw, wait=True)), ""
        until, player = self.proof.until, self.proof.player
        if self.proof.user_id is not None:
            return Identity(str(self.proof.user_id), until)
        if until <= time.time():
            raise NotAuthenticated("The token has expired.")
        self.user_id = await in_thread(_database, lambda: site_player(player, self.user_id))
        if self.user_id is None:
            raise NotAuthenticated("The player is disabled or gone.")
        return Identity(self.user_id, min(until, believed_until()))


def bearer(header: str | None) -> str | None:
    """What follows `Bearer` in an Authorization header. Raises NotAuthenticated if the header is something else."""
    if header is None:
        return None
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("Expected `Authorization: Bearer <JWT>`.")
    return token.strip()


def from_token(raw: object) -> Identity | SiteToken:
    """Whose a token is that was made here; of another, what has to be looked up. Raises NotAuthenticated."""
    try:
        proof = proved(raw, wait=False)
    except Unknown:
        return SiteToken(str(raw), None)
    return Identity(str(proof.user_id), proof.until) if proof.user_id else SiteToken("", proof)


def proved(raw: object, *, wait: bool) -> Proof:
    """Raises NotAuthenticated; Unknown when the key cannot be had, or would have to be waited for."""
    try:
        return providers.prove(raw, wait=wait)
    except BadToken as error:
        raise NotAuthenticated(str(error)) from error
    except KeysOutOfReach as error:
        raise Unknown from error


async def in_thread(executor: ThreadPoolExecutor, ask: Callable[[], T]) -> T:
    """Raises what `ask` does; Unknown when PostgreSQL is away."""
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, ask)
    except DatabaseError as error:
        log.warning("live_identity_unknown", error=str(error).strip())
        raise Unknown from error


def believed_until() -> float:
    """As long as an access token: after that a sign-out or a ban has reached the live connections as well."""
    return time.time() + float(settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"].total_seconds())


def session_user(key: str) -> str | None:
    """As Django's own middlewares do it, session hash and disabled users included."""
    close_old_connections()
    store: type[SessionBase] = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    request = HttpRequest()
    request.session = store(key)
    user = get_user(request)
    return str(user.pk) if user.is_authenticated else None


def site_player(named: Reference | None, user_id: str | None) -> str | None:
    """Our id of the player, who is made when seen for the first time; None for one who is disabled or gone.

    `user_id`: what it was at an earlier look.
    """
    close_old_connections()
    if user_id is not None:
        return user_id if User.objects.filter(pk=user_id, is_active=True).exists() else None
    found = providers.of_site(named) if named is not None else None
    return str(found.pk) if found else None
