"""Every message the server sends to viewers. Clients ignore types and members they do not know."""

import random

from django.conf import settings
from websockets.frames import Frame, Opcode

from leaderboard.live.packets import Packet
from leaderboard.ranking import Page
from leaderboard.snapshots import row_data

RETRY_MS = (1000, 6000)  # jitter: viewers of a server that left come back over five seconds, not all at once

MAX_MESSAGE = 4096  # bytes a client may send in one message
CLOSING_DOWN = 4000
IDENTITY_UNKNOWN = 4001  # the session could not be looked up just now
FULL = 4002
TOO_SLOW = 4408
NOT_AUTHENTICATED = 4501
ORIGIN_REFUSED = 4503
BAD_REQUEST = 4504  # the query names no board, or a limit outside 1 to 100
TOO_BIG = 4513
TOO_MANY = 4529


def event_id(page: Page) -> str:
    """What SSE's Last-Event-ID brings back."""
    return f"{page.epoch}:{page.seq}"


def hello(board: str, page: Page | None, user_id: str | None) -> Packet:
    """`epoch` and `seq` are null until this process has read the board. Sent again when the identity changes."""
    return Packet(
        {
            "type": "connection_success",
            "board": board,
            "epoch": page.epoch if page else None,
            "seq": page.seq if page else None,
            "interval_ms": settings.LEADERBOARD_PUSH_INTERVAL_MS,
            "user_id": user_id,
        },
        prelude=f"retry: {retry()}\n",
    )


def update(board: str, page: Page, limit: int) -> Packet:
    """The top `limit` of the page. `timestamp`: Unix seconds of the board's last change."""
    return Packet(
        {
            "type": "leaderboard_update",
            "board": board,
            "epoch": page.epoch,
            "seq": page.seq,
            "timestamp": page.updated,
            "players": page.players,
            "top": [row_data(row) for row in page.rows[:limit]],
        },
        event_id=event_id(page),
    )


def you(score: int | None, rank: int | None, players: int) -> Packet:
    """The viewer's own line. `rank` is null off the board, `score` for a player whom the board does not show."""
    return Packet({"type": "you", "score": score, "rank": rank, "players": players})


def current(page: Page) -> Packet:
    return Packet({"type": "current", "epoch": page.epoch, "seq": page.seq}, event_id=event_id(page))


def ping(page: Page | None) -> Packet:
    """Without an id for SSE: a viewer that skipped a snapshot must not come back claiming to have it."""
    fields = {"type": "ping", "epoch": page.epoch if page else None, "seq": page.seq if page else None}
    return Packet(fields, prelude=": still here\n\n")


def error(code: str, detail: str) -> Packet:
    """`code` is a slug of `api.problems.KINDS`."""
    return Packet({"type": "error", "code": code, "detail": detail})


def close_frame(code: int) -> bytes:
    """For a connection whose library has already said goodbye in its own words."""
    return Frame(Opcode.CLOSE, code.to_bytes(2, "big")).serialize(mask=False)


def notice(board: str | None, code: str, detail: str) -> Packet:
    """Something rare an operator or a task has to say; see `leaderboard.notices`."""
    return Packet({"type": "notice", "board": board, "code": code, "detail": detail})


def retry() -> int:
    """Milliseconds until a viewer may come back."""
    return random.randint(*RETRY_MS)  # noqa: S311 (spreads load; nothing to guess)


def bye() -> Packet:
    """Each viewer gets one of its own: the jitter is the point."""
    retry_ms = retry()
    return Packet({"type": "bye", "retry_ms": retry_ms}, prelude=f"retry: {retry_ms}\n")
