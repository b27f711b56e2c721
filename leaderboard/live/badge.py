"""Who one viewer is, for as long as the proof lasts."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from leaderboard.live import identity
from leaderboard.live.identity import Identity, Unknown

LONGEST_TIMER = 86_400.0  # a token may be valid for longer than a timer can run


class Holder(Protocol):
    """Is told what becomes of its badge."""

    def known(self, who: Identity) -> None: ...

    def forgotten(self, why: str) -> None:
        """Nobody any more, or still nobody."""

    def undecided(self) -> None:
        """The session could not be looked at; whoever it was, it still is."""


class Badge:
    """`identity` is None for nobody. `session` is the cookie's value while that is what proves it."""

    __slots__ = ("_expiry", "_holder", "_looking", "identity", "session")

    def __init__(self, holder: Holder) -> None:
        self.identity: Identity | None = None
        self.session: str | None = None
        self._holder: Holder | None = holder
        self._expiry: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None

    @property
    def looking(self) -> bool:
        return self._looking is not None and not self._looking.done()

    def take(self, who: Identity) -> None:
        """A proof is accepted: it replaces whatever was known."""
        self.identity = who
        self._watch()
        if self._holder:
            self._holder.known(who)

    def present_token(self, raw: object) -> None:
        """Raises NotAuthenticated; then nothing has changed."""
        who = identity.from_token(raw)
        self.session = None
        self.take(who)

    def present_session(self, key: str) -> None:
        """The answer comes later, by way of the holder."""
        self.session = key
        self._looking = asyncio.create_task(self._look(key))

    async def prove_session(self, key: str) -> None:
        """As `present_session`, for one who waits. Raises Unknown."""
        who = await identity.from_session(key)
        if who is not None:
            self.session = key
            self.take(who)

    async def _look(self, key: str) -> None:
        """The one question to the database, beside everything else."""
        try:
            who = await identity.from_session(key)
        except Unknown:
            self._watch()
            if self._holder:
                self._holder.undecided()
            return
        if self.session != key:
            return  # a token was presented meanwhile
        if who is not None:
            self.take(who)
        else:
            self._forget("The session is not signed in.")

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
            self._forget("The token has expired.")

    def _forget(self, why: str) -> None:
        self.identity = self.session = None
        if self._holder:
            self._holder.forgotten(why)

    def drop(self) -> None:
        """The viewer is gone."""
        for waiting in (self._expiry, self._looking):
            if waiting is not None:
                waiting.cancel()
        self._holder = self._expiry = self._looking = None
