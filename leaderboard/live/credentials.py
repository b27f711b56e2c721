"""Who one viewer is, for as long as the proof lasts: a JWT, or the site's own session.

A viewer without a session cookie costs no query; a session costs one look, in a thread that nothing else waits for.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import structlog
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.http import HttpRequest
from django.utils.module_loading import import_string

from accounts.identity import providers
from accounts.identity.proofs import BadToken

log = structlog.get_logger(__name__)

LONGEST_TIMER = 86_400.0  # a token may be valid for longer than a timer can run

_sessions = ThreadPoolExecutor(max_workers=1, thread_name_prefix="session")


class NotAuthenticated(Exception):
    """Credentials were given and are not valid; the message says what is wrong with them."""


class Unknown(Exception):
    """The session cannot be looked up just now."""


@dataclass(frozen=True, slots=True)
class Identity:
    """`until`: Unix seconds after which it must be proved again."""

    user_id: str
    until: float


class Holder(Protocol):
    """The consumer, which is told what becomes of its viewer's credentials."""

    def known(self, who: Identity) -> None: ...

    def forgotten(self, why: str, reason: str) -> None:
        """The viewer is anonymous, again or still: `why` for the viewer, `reason` for the operator."""

    def undecided(self) -> None:
        """The session could not be looked at; the viewer stays who it was."""


class Credentials:
    """`identity` is None for an anonymous viewer. `session` is the cookie's value while that is what proves it."""

    __slots__ = ("_expiry", "_holder", "_looking", "identity", "session")

    def __init__(self, holder: Holder) -> None:
        self.identity: Identity | None = None
        self.session: str | None = None
        self._holder: Holder | None = holder
        self._expiry: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None

    @property
    def user_id(self) -> str | None:
        return self.identity.user_id if self.identity else None

    @property
    def looking(self) -> bool:
        """Whether a session is being looked up."""
        return self._looking is not None and not self._looking.done()

    def present_token(self, raw: object) -> None:
        """Raises NotAuthenticated; then nothing has changed."""
        who = from_token(raw)
        self.session = None
        self._take(who)

    def present_session(self, key: str) -> None:
        """The answer comes later, by way of the holder."""
        self.session = key
        self._looking = asyncio.create_task(self._look(key))

    async def prove_session(self, key: str) -> None:
        """As `present_session`, for a caller that waits. Raises Unknown."""
        who = await from_session(key)
        if who is not None:
            self.session = key
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

    async def _look(self, key: str) -> None:
        """The one question to the database, beside everything else."""
        try:
            who = await from_session(key)
        except Unknown:
            self._watch()
            if self._holder:
                self._holder.undecided()
            return
        if self.session != key:
            return  # a token was presented meanwhile
        if who is not None:
            self._take(who)
        else:
            self._forget("The session is not signed in.", "session")

    def _watch(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        left = max(self.identity.until - time.time(), 1.0) if self.identity else LONGEST_TIMER
        self._expiry = asyncio.get_running_loop().call_later(min(left, LONGEST_TIMER), self._expired)

    def _expired(self) -> None:
        """A session can be looked at again; a new token must come from the client."""
        if self.identity is not None and self.identity.until > time.time():
            self._watch()
        elif self.session is not None:
            self.present_session(self.session)
        elif self.identity is not None:
            self._forget("The token has expired.", "token")

    def _forget(self, why: str, reason: str) -> None:
        self.identity = self.session = None
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


def from_token(raw: object) -> Identity:
    """The subject of an access token. Raises NotAuthenticated."""
    try:
        proof = providers.prove(raw, wait=False)
    except BadToken as error:
        raise NotAuthenticated(str(error)) from error
    return Identity(str(proof.user_id), proof.until)


async def from_session(key: str) -> Identity | None:
    """Whose session this is; None if no user is signed in. Raises Unknown when PostgreSQL is away."""
    loop = asyncio.get_running_loop()
    try:
        user_id = await loop.run_in_executor(_sessions, _session_user, key)
    except DatabaseError as error:
        log.warning("live_session_unknown", error=str(error).strip())
        raise Unknown from error
    if user_id is None:
        return None
    # As long as an access token: after that a sign-out or a ban has reached the live connections as well.
    lifetime = settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"].total_seconds()
    return Identity(user_id, time.time() + lifetime)


def _session_user(key: str) -> str | None:
    """As Django's own middlewares do it, session hash and disabled users included."""
    close_old_connections()
    store: type[SessionBase] = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    request = HttpRequest()
    request.session = store(key)
    user = get_user(request)
    return str(user.pk) if user.is_authenticated else None
