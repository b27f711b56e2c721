"""Who one viewer is, for as long as the proof lasts: a token of an identity provider, or the site's own session.

A token that was made here costs no query. What has to be looked up, a session or the player of a site's own token, is:
one look, in a thread that nothing else waits for. A token whose key has to be fetched first waits in other threads.
"""

import asyncio
import random
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

LONGEST_TIMER = 86_400.0  # a token may be valid for longer than a timer can run
AGAIN_SECONDS = (5.0, 15.0)  # until what could not be looked up is looked up again: not all viewers' at once

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


class Holder(Protocol):
    """The consumer, which is told what becomes of its viewer's credentials."""

    def known(self, who: Identity) -> None: ...

    def forgotten(self, why: str, reason: str) -> None:
        """The viewer is anonymous, again or still: `why` for the viewer, `reason` for the operator."""

    def rejected(self, why: str) -> None:
        """A token that was presented is none; the viewer stays who it was."""

    def undecided(self) -> None:
        """It could not be looked up; the viewer stays who it was."""


class Credentials:
    """`identity` is None for an anonymous viewer. `_source` is what proves it, if it can be looked at again; `_asked`
    what was presented, and is not decided yet."""

    __slots__ = ("_asked", "_expiry", "_holder", "_looking", "_source", "identity")

    def __init__(self, holder: Holder) -> None:
        self.identity: Identity | None = None
        self._holder: Holder | None = holder
        self._source: Source | None = None
        self._asked: Source | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None

    @property
    def user_id(self) -> str | None:
        return self.identity.user_id if self.identity else None

    @property
    def looking(self) -> bool:
        """Whether it is being looked up."""
        return self._looking is not None and not self._looking.done()

    def present_token(self, raw: object) -> None:
        """Raises NotAuthenticated; then nothing has changed. The answer to a site's own token comes later, by way of
        the holder."""
        known = from_token(raw)
        if isinstance(known, Identity):
            self._source = self._asked = None
            self._take(known)
        else:
            self._ask(known)

    def present_session(self, key: str) -> None:
        """The answer comes later, by way of the holder."""
        self._ask(Session(key))

    async def prove_token(self, raw: object) -> None:
        """As `present_token`, for a caller that waits. Raises Unknown, too."""
        known = from_token(raw)
        if isinstance(known, Identity):
            self._take(known)
        else:
            await self._prove(known)

    async def prove_session(self, key: str) -> None:
        """As `present_session`, for a caller that waits. Raises NotAuthenticated, Unknown."""
        await self._prove(Session(key))

    async def _prove(self, source: Source) -> None:
        who = await source.look()
        self._source = source
        self._take(who)

    def drop(self) -> None:
        """The viewer is gone."""
        for waiting in (self._expiry, self._looking):
            if waiting is not None:
                waiting.cancel()
        self._holder = self._expiry = self._looking = None

    def _take(self, who: Identity) -> None:
        """A proof is accepted: it replaces whatever was known."""
        self.identity = who
        self._watch()
        if self._holder:
            self._holder.known(who)

    def _ask(self, source: Source) -> None:
        if self._looking is not None:
            self._looking.cancel()  # what is replaced is not to be looked at any more
        self._asked = source
        self._looking = asyncio.create_task(self._look(source))

    async def _look(self, source: Source) -> None:
        """The one question to the database, beside everything else."""
        try:
            who = await source.look()
        except Unknown:
            if self._asked is source:
                self._watch()
                if self._holder:
                    self._holder.undecided()
        except NotAuthenticated as error:
            if self._asked is source:
                self._asked = None
                self._refuse(source, str(error))
        else:
            if self._asked is source:  # otherwise something else was presented meanwhile
                self._asked, self._source = None, source
                self._take(who)

    def _refuse(self, source: Source, why: str) -> None:
        if source is self._source or isinstance(source, Session):
            self._forget(why, source.reason)
        elif self._holder:
            self._watch()
            self._holder.rejected(why)

    def _watch(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        left = max(self.identity.until - time.time(), 1.0) if self.identity else LONGEST_TIMER
        if self._asked is not None:
            left = min(left, random.uniform(*AGAIN_SECONDS))  # noqa: S311
        self._expiry = asyncio.get_running_loop().call_later(min(left, LONGEST_TIMER), self._expired)

    def _expired(self) -> None:
        """What could not be looked up, or can be again, is; a new token must come from the client."""
        if self._asked is not None:
            self._ask(self._asked)
        elif self.identity is None or self.identity.until > time.time():
            self._watch()
        elif self._source is not None:
            self._ask(self._source)
        else:
            self._forget("The token has expired.", "token")

    def _forget(self, why: str, reason: str) -> None:
        self.identity = self._source = None
        if self._holder:
            self._holder.forgotten(why, reason)


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
