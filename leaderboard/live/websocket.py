"""WebSocket `/scoreboard/live`: the handshake."""

from django.conf import settings
from structlog.contextvars import bind_contextvars

from api.problems import Problem
from api.request_ids import accept_or_make
from leaderboard.boards import Board
from leaderboard.live import identity, messages, refusals
from leaderboard.live.conversation import Conversation
from leaderboard.live.hub import Hub, hub
from leaderboard.live.identity import NotAuthenticated
from leaderboard.live.refusals import Refused
from leaderboard.live.requests import LiveRequest
from leaderboard.live.wires import Receive, Scope, Send, Wire, wire_of

SUBPROTOCOL = "bearer"


async def live(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application: one viewer from handshake to close.

    Everyone is accepted first: a browser learns a close code, but not why a handshake failed.
    """
    await receive()  # websocket.connect
    request = LiveRequest(scope)
    bind_contextvars(request_id=accept_or_make(request.headers.get("x-request-id")))
    chosen = SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", ()) else None
    await send({"type": "websocket.accept", "subprotocol": chosen})
    wire, admission = wire_of(scope, send), hub().admission
    try:
        board, limit = judge(request, hub())
        address = admission.enter(request)
    except Refused as refusal:
        refuse(wire, refusal)
        await gone(receive)
        return
    except Problem as problem:
        refuse(wire, refusals.full(problem))
        await gone(receive)
        return
    conversation = Conversation(hub().feeds[board.slug], limit, wire)
    try:
        conversation.open(offered_token(request), identity.session_key(request, same_origin=request.own_origin))
        del request
        await conversation.listen(receive)
    except Refused as refusal:
        conversation.refuse(refusal)
        await gone(receive)
    finally:
        conversation.end()
        admission.leave(address)


def judge(request: LiveRequest, hub: Hub) -> tuple[Board, int]:
    """(board, limit) of a request that may be served. Raises Refused."""
    if hub.closing:
        raise Refused(messages.CLOSING_DOWN, "unavailable", "This server is shutting down.")
    if not request.origin_allowed:
        raise refusals.origin_refused()
    try:
        return request.query()
    except Problem as problem:
        raise refusals.bad_request(problem) from problem


def refuse(wire: Wire, refusal: Refused) -> None:
    refusal.note()
    wire.write(messages.error(refusal.code, refusal.detail))
    wire.close(refusal.close_code, refusal.code)


def offered_token(request: LiveRequest) -> str | None:
    """The JWT of `Sec-WebSocket-Protocol: bearer, <JWT>`, or of the Authorization header. Raises Refused."""
    subprotocols = request.scope.get("subprotocols", ())
    if len(subprotocols) > 1 and subprotocols[0] == SUBPROTOCOL:
        return str(subprotocols[1])
    try:
        return identity.token_in_header(request)
    except NotAuthenticated as error:
        if not settings.LEADERBOARD_PUBLIC:
            raise refusals.not_authenticated(str(error)) from error
        return None


async def gone(receive: Receive) -> None:
    """Until the connection has ended: returning earlier could cut the close frame off."""
    while (await receive())["type"] != "websocket.disconnect":
        pass
