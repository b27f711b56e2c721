"""Every message the server sends to viewers, encoded once and written to many."""

import json
import random
from typing import Any

from django.conf import settings
from websockets.frames import Frame, Opcode

from leaderboard import boards
from leaderboard.boards import ALL, VISIBLE_TOP, Board
from leaderboard.live import metrics
from leaderboard.ranking import Page, Row
from leaderboard.snapshots import rows_data

RETRY_MS = (1000, 6000)  # jitter: viewers of a server that left come back over five seconds, not all at once
MAX_METADATA = 8192  # bytes of all rows' metadata in one message
MAX_MESSAGE = 4096  # bytes a client may send in one message

Key = tuple[str, int]  # epoch, seq


class Packet:
    """One message: as JSON, as a WebSocket frame, as an SSE event. Clients ignore types and members they do not know.

    `fields` is the message with its `type`; `event_id` is what SSE gives as `id:`, if anything. `prelude` is put before
    the SSE event as it is: a comment or a `retry:` line with its line end.
    """

    __slots__ = ("_chunk", "_event", "_frame", "event_id", "kind", "payload", "prelude")

    def __init__(self, fields: dict[str, Any], *, event_id: str = "", prelude: str = "") -> None:
        self.kind: str = fields["type"]
        # "replace": half a surrogate pair, which Redis can hold and UTF-8 cannot, must not stop a push.
        self.payload = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        self.event_id = event_id
        self.prelude = prelude
        self._frame: bytes | None = None
        self._event: bytes | None = None
        self._chunk: bytes | None = None

    @property
    def text(self) -> str:
        """The message as JSON."""
        return self.payload.decode()

    @property
    def frame(self) -> bytes:
        """A whole, unmasked WebSocket text frame."""
        if self._frame is None:
            self._frame = Frame(Opcode.TEXT, self.payload).serialize(mask=False)
        return self._frame

    @property
    def event(self) -> bytes:
        """One Server-Sent Event. JSON has no line ends, so one `data:` line holds it."""
        if self._event is None:
            named = f"{self.prelude}event: {self.kind}\n" + (f"id: {self.event_id}\n" if self.event_id else "")
            self._event = b"%bdata: %b\n\n" % (named.encode(), self.payload)
        return self._event

    @property
    def chunk(self) -> bytes:
        """The event as one chunk of HTTP's chunked coding."""
        if self._chunk is None:
            self._chunk = b"%x\r\n%b\r\n" % (len(self.event), self.event)
        return self._chunk


class EncodedPage:
    """A board's visible top at one (epoch, seq), encoded once for each limit in use.

    `before` is the snapshot that this one follows. A viewer that shows three rows is not sent a change of the fourth:
    for each limit the snapshot knows since which (epoch, seq) of the board these rows are as they are.
    """

    def __init__(self, board: Board, page: Page, before: "EncodedPage | None" = None) -> None:
        self.board = board
        self.page = page
        self.key: Key = (page.epoch or "", page.seq or 0)
        self._packets: dict[int, Packet] = {}
        self._since: dict[int, Key] = {}
        if before is not None and before.key[0] == self.key[0]:
            same = first_difference(before.page.rows, page.rows)
            self._since = {limit: key for limit, key in before._since.items() if limit <= same}

    def since(self, limit: int) -> Key:
        """The (epoch, seq) since which the top `limit` is as it is here, as far as viewers of this process know."""
        return self._since.setdefault(limit, self.key)

    def recount(self, page: Page) -> None:
        """The same rows, read again: there may be more players below them. Those who come later are told."""
        if page.players != self.page.players:
            self.page = page
            self._packets.clear()

    def packet(self, limit: int) -> Packet:
        packet = self._packets.get(limit)
        if packet is None:
            metrics.ENCODES.inc()
            self.since(limit)
            packet = self._packets[limit] = update(self.board, self.page, limit)
        return packet


def first_difference(before: list[Row], after: list[Row]) -> int:
    """How many rows from the top are the same; VISIBLE_TOP, as many as anyone sees, when all are."""
    for place, (old, new) in enumerate(zip(before, after, strict=False)):
        if old != new:
            return place
    return VISIBLE_TOP if len(before) == len(after) else min(len(before), len(after))


def event_id(page: Page) -> str:
    """What SSE's Last-Event-ID brings back."""
    return f"{page.epoch}:{page.seq}"


def hello(board: Board, page: Page | None, user_id: str | None) -> Packet:
    """`epoch` and `seq` are null until this process has read the board. Sent again when the identity changes.

    `now`, of a board that ends or is frozen: the clock by which it is, for viewers whose own is wrong.
    """
    return Packet(
        {
            "type": "connection_success",
            **which(board),
            **({"now": boards.listing().now.isoformat()} if board.ends_at or board.frozen_at else {}),
            "epoch": page.epoch if page else None,
            "seq": page.seq if page else None,
            "interval_ms": settings.LEADERBOARD_PUSH_INTERVAL_MS,
            "user_id": user_id,
        },
        prelude=f"retry: {retry()}\n",
    )


def update(board: Board, page: Page, limit: int) -> Packet:
    """The top `limit` of the page. `timestamp`: Unix seconds of the board's last change.

    What describes the rows is left out where it would make the message much longer than they do: every change is sent
    to every viewer, and who wants it reads the board.
    """
    rows = rows_data(board, page, page.rows[:limit])
    described = [row["metadata"] for row in rows if "metadata" in row]
    without = bool(described) and len(json.dumps(described, ensure_ascii=False).encode(errors="replace")) > MAX_METADATA
    if without:
        for row in rows:
            row.pop("metadata", None)
    return Packet(
        {
            "type": "leaderboard_update",
            **which(board),
            "epoch": page.epoch,
            "seq": page.seq,
            "timestamp": page.updated,
            "players": page.players,
            "top": rows,
            **({"without_metadata": True} if without else {}),
        },
        event_id=event_id(page),
    )


def which(board: Board) -> dict[str, Any]:
    """The board; of one that has periods which, and when it ends; of a frozen one as of when it is shown."""
    said: dict[str, Any] = {"board": board.slug}
    if board.period != ALL or board.ends_at is not None:
        said |= {"period": board.period, "ends_at": board.ends_at and board.ends_at.isoformat()}
    if board.frozen_at is not None:
        said["frozen_at"] = board.frozen_at.isoformat()
    return said


def notice(code: str, board: str, period: str, detail: str, **more: Any) -> Packet:
    """Something that happened to a board: `closed`, with the key of the `next` period, `frozen` or `revealed`; or what
    its closing gave the viewer: `placed`, with the final `rank`."""
    return Packet({"type": "notice", "code": code, "board": board, "period": period, **more, "detail": detail})


def you(score: int | None, rank: int | None, players: int, tier: dict[str, str | None]) -> Packet:
    """The viewer's own line. `rank` is null off the board, `score` for a player whom the board does not show. `tier`
    as `tiers.shown` has it."""
    return Packet({"type": "you", "score": score, "rank": rank, "players": players, **tier})


def current(page: Page) -> Packet:
    """The rows that the viewer has are those of this page; its seq and its number of players may be newer."""
    fields = {"type": "current", "epoch": page.epoch, "seq": page.seq, "players": page.players}
    return Packet(fields, event_id=event_id(page))


def ping(snapshot: EncodedPage | None, limit: int) -> Packet:
    """`epoch` and `seq`: since when the top `limit` is as it is. All is null until this process has read the board.

    Without an id for SSE: a viewer that skipped a snapshot must not come back claiming to have it.
    """
    epoch, seq = snapshot.since(limit) if snapshot else (None, None)
    players = snapshot.page.players if snapshot else None
    return Packet({"type": "ping", "epoch": epoch, "seq": seq, "players": players}, prelude=": still here\n\n")


def error(code: str, detail: str) -> Packet:
    """`code` is a slug of `api.problems.KINDS`."""
    return Packet({"type": "error", "code": code, "detail": detail})


def retry() -> int:
    """Milliseconds until a viewer may come back."""
    return random.randint(*RETRY_MS)  # noqa: S311 (spreads load; nothing to guess)


def bye() -> Packet:
    """Each viewer gets one of its own: the jitter is the point."""
    retry_ms = retry()
    return Packet({"type": "bye", "retry_ms": retry_ms}, prelude=f"retry: {retry_ms}\n")
