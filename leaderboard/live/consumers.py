"""WebSocket viewers, as Channels consumers: for what a viewer says, once to come, rarely after that."""

import asyncio
import json
import time
from collections import deque
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from structlog.contextvars import bind_contextvars

from api.problems import Problem, note
from api.request_ids import accept_or_make
from leaderboard.boards import Board
from leaderboard.live import identities, messages, refusals
from leaderboard.live.board_consumer import BoardConsumer, ignored_token
from leaderboard.live.capacity import client_address
from leaderboard.live.hub import hub
from leaderboard.live.identities import Identity, NotAuthenticated
from leaderboard.live.refusals import Refused
from leaderboard.live.requests import LiveRequest

SUBPROTOCOL = "bearer"
AUTHENTICATE_SECONDS = 5.0  # a private board's viewer has this long to say who it is
MAX_MESSAGES, MESSAGE_SECONDS = 20, 10.0


class LiveConsumer(BoardConsumer, AsyncWebsocketConsumer):  # type: ignore[misc]
    """`/scoreboard/live`: see docs/live-protocol.md."""

    kind = "websocket"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._times: deque[float] | None = None

    async def connect(self) -> None:
        """Everyone is accepted first: a browser learns a close code, but not why a handshake failed."""
        request = LiveRequest(self.scope)
        bind_contextvars(request_id=accept_or_make(request.headers.get("x-request-id")))
        await self.accept(SUBPROTOCOL if SUBPROTOCOL in self.scope.get("subprotocols", ()) else None)
        self.client = client_address(request)
        try:
            self.enter(request, *await judge(request))
            self.present(request)
        except Refused as refusal:
            self.refuse(refusal)
        except Problem as problem:
            self.refuse(refusals.full(problem))
        self.scope = {}  # a viewer stays for hours

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.refused:
            return
        try:
            self.hear(text_data)
        except Refused as refusal:
            self.refuse(refusal)

    def leave(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().leave()

    # --- who it is ---

    def present(self, request: LiveRequest) -> None:
        """Begins with whatever credentials the handshake brought. Raises Refused."""
        token = self.offered_token(request)
        if token is not None:
            self.authenticate(token)
        elif request.session and request.own_origin:  # a foreign page must not act as the visitor
            self.credentials.present_session(request.session)
        if self.viewer is not None or self.refused:
            return
        if self.public:
            self.show()  # the board itself does not wait for a session to be looked up
        else:
            self._deadline = asyncio.get_running_loop().call_later(AUTHENTICATE_SECONDS, self.too_late)

    def authenticate(self, token: object) -> None:
        try:
            self.credentials.present_token(token)
        except NotAuthenticated as error:
            self.rejected(str(error))

    def offered_token(self, request: LiveRequest) -> str | None:
        """The JWT of `Sec-WebSocket-Protocol: bearer, <JWT>`, or of the Authorization header. Raises Refused."""
        subprotocols = request.scope.get("subprotocols", ())
        if len(subprotocols) > 1 and subprotocols[0] == SUBPROTOCOL:
            return str(subprotocols[1])
        try:
            return identities.bearer(request.headers.get("authorization"))
        except NotAuthenticated as error:
            if not self.public:
                raise refusals.not_authenticated(str(error), "token") from error
            note(ignored_token(str(error)), self.caller)
            return None

    def known(self, who: Identity) -> None:
        if self.refused:
            return  # too late
        if self.viewer is None:
            self.show()
        else:
            super().known(who)

    def too_late(self) -> None:
        """The time for saying who it is has passed."""
        if self.viewer is None and not self.refused:
            slow = self.credentials.looking
            said = "Nobody signed in within five seconds."
            self.refuse(refusals.identity_unknown() if slow else refusals.not_authenticated(said, "no-credentials"))

    # --- what it says ---

    def hear(self, text: str | None) -> None:
        """Answers one message. Raises Refused."""
        if text is None:
            self._count()
            self.say(messages.error("invalid-request", "Send text messages, not binary ones."))
            return
        if len(text) > messages.MAX_MESSAGE or len(text.encode()) > messages.MAX_MESSAGE:
            raise refusals.too_big()
        try:
            said = json.loads(text)
            kind = said["type"]
        except (ValueError, TypeError, KeyError, RecursionError):
            said, kind = {}, None
        if kind == "ack" and self.acknowledged(said.get("seq")):
            return
        self._count()
        match kind:
            case "authenticate":
                self.authenticate(said.get("token"))
            case "resume" if self.viewer is not None:
                self.viewer.resume((said.get("epoch"), said.get("seq")))
            case "resume" | "ack" if self.viewer is None:
                self.say(messages.error("invalid-request", "Say first who you are."))
            case "ack":
                self.say(messages.error("invalid-request", "`seq` was not sent, or is acknowledged already."))
            case _:
                detail = "Expected a JSON object with `type` resume, ack or authenticate."
                self.say(messages.error("invalid-request", detail))

    def acknowledged(self, seq: object) -> bool:
        """Whether this answers something that was sent. Such acks do not count: they are as many as the pushes."""
        if self.viewer is None or type(seq) is not int or not self.viewer.acknowledge(seq):
            return False
        self.feed.acknowledged(self.viewer.acked)
        return True

    def _count(self) -> None:
        """Raises Refused at the 21st message within ten seconds."""
        now = time.monotonic()
        if self._times is None:
            self._times = deque(maxlen=MAX_MESSAGES)
        if len(self._times) == MAX_MESSAGES and now - self._times[0] < MESSAGE_SECONDS:
            raise refusals.too_many(MAX_MESSAGES, MESSAGE_SECONDS)
        self._times.append(now)


async def judge(request: LiveRequest) -> tuple[Board, str | None, int]:
    """(board, period, limit) of a request that may be served. Raises Refused."""
    if hub().closing:
        raise refusals.closing_down()
    if not request.origin_allowed:
        raise refusals.origin_refused()
    try:
        return await hub().asked_for(request)
    except Problem as problem:
        raise refusals.bad_request(problem) from problem
