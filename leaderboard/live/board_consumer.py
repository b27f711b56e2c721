"""What viewers have in common over both protocols: coming, going, who they are, what they are told.

A viewer has no channel of its own: the hub is one member of each group for all of them, and what it pushes goes round
the consumer, straight to the transport.
"""

import uuid
from typing import Any, ClassVar

from channels.consumer import AsyncConsumer, get_handler_name
from channels.exceptions import StopConsumer

from api.client_address import UNKNOWN
from api.problems import Problem, note
from api.refusals import Caller
from leaderboard.boards import Board
from leaderboard.live import messages, refusals
from leaderboard.live.credentials import Credentials
from leaderboard.live.feed import Feed
from leaderboard.live.hub import hub
from leaderboard.live.identities import Identity
from leaderboard.live.messages import Packet
from leaderboard.live.refusals import Refused
from leaderboard.live.requests import LiveRequest
from leaderboard.live.transport import Message, Receive, Scope, Send, Transport, transport_of
from leaderboard.live.viewer import Viewer


class BoardConsumer(AsyncConsumer):  # type: ignore[misc]
    """`viewer` is None until the board may be shown."""

    kind: ClassVar[str]
    first_message: ClassVar[Message | None] = None

    feed: Feed
    period: str | None  # that was asked for
    limit: int
    transport: Transport

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.credentials = Credentials(self)
        self.viewer: Viewer | None = None
        self.refused = False
        self.client = UNKNOWN  # its address
        self.address: str | None = None  # as which it is counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As Channels' own, but that the channel layer is not asked for a channel."""
        self.scope, self.base_send = scope, send
        self.transport = transport_of(scope, send)
        try:
            message = self.first_message or await receive()
            while True:
                await self.dispatch(message)
                message = await receive()
        except StopConsumer:
            pass
        finally:
            self.leave()

    async def dispatch(self, message: Message) -> None:
        """As Channels' own, but that nothing waits for the thread in which it closes old database connections."""
        await getattr(self, get_handler_name(message))(message)

    async def disconnect(self, *_: int) -> None:
        raise StopConsumer  # here, for the same reason

    # --- coming and going ---

    def enter(self, request: LiveRequest, board: Board, period: str | None, limit: int) -> None:
        """Counts the connection in. Raises Problem unavailable, rate-limited."""
        self.address = hub().capacity.enter(request)
        self.feed, self.period, self.limit = hub().feed(board, period), period, limit

    def leave(self) -> None:
        """The connection is gone."""
        self.credentials.drop()
        if self.viewer is not None:
            self.feed.leave(self.viewer)
        if self.address is not None:
            hub().capacity.leave(self.address)

    # --- who it is ---

    def known(self, who: Identity) -> None:
        if self.viewer is not None:
            self.viewer.reply(self.hello())
            self.feed.own_lines.know(self.viewer, who.user_id)

    @property
    def public(self) -> bool:
        """Whether anybody may see the board, as it is now."""
        return self.feed.board.public

    @property
    def caller(self) -> Caller:
        user_id = self.credentials.user_id
        return Caller(uuid.UUID(user_id) if user_id else None, None, self.client)

    def forgotten(self, why: str, reason: str) -> None:
        if not self.public:
            self.refuse(refusals.not_authenticated(why, reason))
        elif self.viewer is not None and self.viewer.user_id is not None:
            self.feed.own_lines.forget(self.viewer)
            self.viewer.reply(messages.error("not-authenticated", why))
            self.viewer.reply(self.hello())

    def rejected(self, why: str) -> None:
        """A bad token costs no viewer a public board, but on a private one it is the end."""
        if not self.public and self.credentials.identity is None:
            self.refuse(refusals.not_authenticated(why, "token"))
        else:
            note(ignored_token(why), self.caller)
            self.say(messages.error("not-authenticated", why))

    def undecided(self) -> None:
        if not self.public and self.viewer is None:
            self.refuse(refusals.identity_unknown())

    # --- what it is told ---

    def show(self, claimed: tuple[object, object] | None = None) -> None:
        """Greets, and shows the board from here on; `claimed` is the (epoch, seq) that the viewer says it has."""
        self.viewer = Viewer(self.transport, self.kind, self.limit)
        # Who the viewer is may have taken its time; the board may have been dropped, as one that nobody watches.
        self.feed = hub().feed(self.feed.board, self.period)
        self.feed.join(self.viewer)
        self.viewer.reply(self.hello())
        if claimed is None:
            self.viewer.catch_up()
        else:
            self.viewer.resume(claimed)
        if self.credentials.user_id is not None:
            self.feed.own_lines.know(self.viewer, self.credentials.user_id)

    def hello(self) -> Packet:
        return messages.hello(self.feed.board, self.feed.page, self.credentials.user_id)

    def say(self, packet: Packet) -> None:
        if self.viewer is not None:
            self.viewer.reply(packet)
        elif not self.transport.blocked:
            self.transport.write(packet)

    def refuse(self, refusal: Refused) -> None:
        """The end, with a reason; what the client still says is not listened to."""
        self.refused = True
        refusal.note(self.caller)
        self.say(messages.error(refusal.code, refusal.detail))
        self.transport.close(refusal.close_code, refusal.code)


def ignored_token(why: str) -> Problem:
    """On a public board bad credentials keep no viewer out, but they are refused all the same."""
    return Problem("not-authenticated", why, reason="token")
