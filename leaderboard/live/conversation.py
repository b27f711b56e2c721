"""What one WebSocket viewer says, and what it gets to hear for it."""

import asyncio
import json
import time
from collections import deque

from django.conf import settings

from leaderboard.live import messages, refusals
from leaderboard.live.badge import Badge
from leaderboard.live.feed import Feed
from leaderboard.live.identity import Identity, NotAuthenticated
from leaderboard.live.packets import Packet
from leaderboard.live.refusals import Refused
from leaderboard.live.viewers import Viewer
from leaderboard.live.wires import Message, Receive, Wire

AUTHENTICATE_SECONDS = 5.0  # a private board's viewer has this long to say who it is
MAX_MESSAGES, MESSAGE_SECONDS = 20, 10.0


class Conversation:
    """`viewer` is None until the board may be shown."""

    __slots__ = ("_times", "badge", "feed", "limit", "viewer", "wire")

    def __init__(self, feed: Feed, limit: int, wire: Wire) -> None:
        self.feed = feed
        self.limit = limit
        self.wire = wire
        self.viewer: Viewer | None = None
        self.badge = Badge(self)
        self._times: deque[float] | None = None

    # --- who it is ---

    def open(self, token: str | None, session: str | None) -> None:
        """Begins with whatever the handshake brought. Raises Refused."""
        if token is not None:
            self.authenticate(token)
        elif session is not None:
            self.badge.present_session(session)
        if settings.LEADERBOARD_PUBLIC and self.viewer is None:
            self.show()  # the board itself does not wait for a session to be looked up

    def authenticate(self, token: object) -> None:
        """A bad token costs nobody the view of a public board, but on a private one it is the end."""
        try:
            self.badge.present_token(token)
        except NotAuthenticated as error:
            if not settings.LEADERBOARD_PUBLIC and self.badge.identity is None:
                raise refusals.not_authenticated(str(error)) from error
            self.say(messages.error("not-authenticated", str(error)))

    def known(self, who: Identity) -> None:
        if self.viewer is None:
            self.show()
        else:
            self.hello()
            self.feed.personal.know(self.viewer, who.user_id)

    def forgotten(self, why: str) -> None:
        if not settings.LEADERBOARD_PUBLIC:
            self.refuse(refusals.not_authenticated(why))
        elif self.viewer is not None and self.viewer.user_id is not None:
            self.feed.personal.forget(self.viewer)
            self.say(messages.error("not-authenticated", why))
            self.hello()

    def undecided(self) -> None:
        if self.viewer is None:
            self.refuse(refusals.identity_unknown())

    # --- what it is told ---

    def show(self) -> None:
        """Greets, and shows the board from here on."""
        self.viewer = Viewer(self.feed, self.limit, self.wire, "websocket")
        self.feed.join(self.viewer)
        self.hello()
        self.viewer.show()
        if self.badge.identity is not None:
            self.feed.personal.know(self.viewer, self.badge.identity.user_id)

    def hello(self) -> None:
        who = self.badge.identity
        self.say(messages.hello(self.feed.board.slug, self.feed.page, who.user_id if who else None))

    def say(self, packet: Packet) -> None:
        if self.viewer is not None:
            self.viewer.reply(packet)
        elif not self.wire.blocked:
            self.wire.write(packet)

    def refuse(self, refusal: Refused) -> None:
        refusal.note()
        self.say(messages.error(refusal.code, refusal.detail))
        self.wire.close(refusal.close_code, refusal.code)

    def end(self) -> None:
        """The connection is gone."""
        self.badge.drop()
        if self.viewer is not None:
            self.viewer.leave()

    # --- what it says ---

    async def listen(self, receive: Receive) -> None:
        """Until the connection ends. Raises Refused."""
        if self.viewer is None:
            try:
                async with asyncio.timeout(AUTHENTICATE_SECONDS):
                    while self.viewer is None:
                        if not self.hear(await receive()):
                            return
            except TimeoutError:
                if self.badge.looking:
                    raise refusals.identity_unknown() from None
                raise refusals.not_authenticated("Nobody signed in within five seconds.") from None
        while self.hear(await receive()):
            pass

    def hear(self, message: Message) -> bool:
        """Answers one message; returns whether more may come. Raises Refused."""
        if message["type"] == "websocket.disconnect":
            return False
        if (text := message.get("text")) is None:
            self._count()
            self.say(messages.error("invalid-request", "Send text messages, not binary ones."))
            return True
        if len(text) > messages.MAX_MESSAGE or len(text.encode()) > messages.MAX_MESSAGE:
            raise refusals.too_big()
        try:
            said = json.loads(text)
            kind = said["type"]
        except (ValueError, TypeError, KeyError, RecursionError):
            said, kind = {}, None
        if kind == "ack" and self.acknowledged(said.get("seq")):
            return True
        self._count()
        match kind:
            case "authenticate":
                self.authenticate(said.get("token"))
            case "resume" if self.viewer is not None:
                self.viewer.resume((said.get("epoch"), said.get("seq")))
            case "resume" | "ack" if self.viewer is None:
                self.say(messages.error("not-authenticated", "Say first who you are."))
            case "ack":
                self.say(messages.error("invalid-request", "`seq` was not sent, or is acknowledged already."))
            case _:
                detail = "Expected a JSON object with `type` resume, ack or authenticate."
                self.say(messages.error("invalid-request", detail))
        return True

    def acknowledged(self, seq: object) -> bool:
        """Whether this answers something that was sent. Such acks do not count: they are as many as the pushes."""
        return self.viewer is not None and type(seq) is int and self.viewer.acknowledge(seq)

    def _count(self) -> None:
        """Raises Refused at the 21st message within ten seconds."""
        now = time.monotonic()
        if self._times is None:
            self._times = deque(maxlen=MAX_MESSAGES)
        if len(self._times) == MAX_MESSAGES and now - self._times[0] < MESSAGE_SECONDS:
            raise refusals.too_many(MAX_MESSAGES, MESSAGE_SECONDS)
        self._times.append(now)
