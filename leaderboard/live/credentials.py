"""What one viewer has presented, how long it is believed, and when it is looked at again. `identities.py` reads it."""

import asyncio
import random
import time
from typing import Protocol

from leaderboard.live.identities import Identity, NotAuthenticated, Session, Source, Unknown, from_token

LONGEST_TIMER = 86_400.0  # a token may be valid for longer than a timer can run
AGAIN_SECONDS = (5.0, 15.0)  # until what could not be looked up is looked up again: not all viewers' at once


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
