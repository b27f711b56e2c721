"""One SSE viewer: who it is, and what it is told. It says nothing after its request."""

import re

from django.conf import settings

from api.problems import Problem
from leaderboard.live import identity, messages, metrics
from leaderboard.live.badge import Badge
from leaderboard.live.feed import Feed
from leaderboard.live.identity import Identity, NotAuthenticated, Unknown
from leaderboard.live.packets import Packet
from leaderboard.live.requests import LiveRequest
from leaderboard.live.viewers import Viewer
from leaderboard.live.wires import Wire

RETRY_SECONDS = "2"
SEQ = re.compile(r"[0-9]{1,15}")


class Watcher:
    """`viewer` is None until the response has begun."""

    __slots__ = ("badge", "feed", "limit", "viewer", "wire")

    def __init__(self, feed: Feed, limit: int, wire: Wire) -> None:
        self.feed = feed
        self.limit = limit
        self.wire = wire
        self.viewer: Viewer | None = None
        self.badge = Badge(self)

    # --- who it is ---

    async def admit(self, request: LiveRequest) -> None:
        """Raises Problem not-authenticated, unavailable; on a public board the credentials keep nobody out."""
        if settings.LEADERBOARD_PUBLIC:
            self._look_at(request)
        else:
            await self._prove(request)

    def _look_at(self, request: LiveRequest) -> None:
        try:
            if token := identity.token_in_header(request):
                self.badge.present_token(token)
            elif key := session_of(request):
                self.badge.present_session(key)
        except NotAuthenticated:
            metrics.REFUSALS.labels("ignored-token").inc()

    async def _prove(self, request: LiveRequest) -> None:
        try:
            if token := identity.token_in_header(request):
                self.badge.present_token(token)
            elif key := session_of(request):
                await self.badge.prove_session(key)
        except NotAuthenticated as error:
            raise challenge(str(error)) from error
        except Unknown as error:
            said = "The session cannot be checked right now; try again."
            raise Problem("unavailable", said, headers={"Retry-After": RETRY_SECONDS}) from error
        if self.badge.identity is None:
            raise challenge("Sign in to see this board.")

    def known(self, who: Identity) -> None:
        if self.viewer is not None:
            self.viewer.reply(self.hello())
            self.feed.personal.know(self.viewer, who.user_id)

    def forgotten(self, why: str) -> None:
        if self.viewer is None or self.viewer.user_id is None:
            return
        self.feed.personal.forget(self.viewer)
        self.viewer.reply(messages.error("not-authenticated", why))
        if settings.LEADERBOARD_PUBLIC:
            self.viewer.reply(self.hello())
        else:
            self.wire.close(messages.NOT_AUTHENTICATED, why)

    def undecided(self) -> None:
        """Nothing to tell: the board is public, or this viewer was admitted before."""

    # --- what it is told ---

    def open(self, last_event_id: str | None) -> None:
        """The response has begun: greets, and shows the board from here on."""
        self.viewer = Viewer(self.feed, self.limit, self.wire, "sse")
        self.feed.join(self.viewer)
        self.viewer.reply(self.hello())
        if last_event_id is None:
            self.viewer.show()
        else:
            epoch, _, seq = last_event_id.rpartition(":")
            self.viewer.resume((epoch, int(seq) if SEQ.fullmatch(seq) else None))
        if self.badge.identity is not None:
            self.feed.personal.know(self.viewer, self.badge.identity.user_id)

    def hello(self) -> Packet:
        who = self.badge.identity
        return messages.hello(self.feed.board.slug, self.feed.page, who.user_id if who else None)

    def end(self) -> None:
        self.badge.drop()
        if self.viewer is not None:
            self.viewer.leave()


def session_of(request: LiveRequest) -> str | None:
    """Browsers leave Origin out of their own pages' GET requests, and never out of another origin's."""
    return identity.session_key(request, same_origin=request.origin is None or request.own_origin)


def challenge(detail: str) -> Problem:
    return Problem("not-authenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="api"'})
