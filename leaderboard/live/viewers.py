"""One viewer: what it has been told, and the slots for what it should be told next. There is no queue."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from leaderboard.live import messages
from leaderboard.live.packets import Packet
from leaderboard.live.wires import Wire

if TYPE_CHECKING:
    from leaderboard.live.feed import Feed

MAX_REPLIES = 8  # answers kept for a viewer that is blocked while it goes on asking; further ones are dropped

Key = tuple[str, int]


class Viewer:
    """`limit`: how many lines it shows. `user_id`: whose own line it also gets, if anybody's.

    `sent` is the (epoch, seq) of the last snapshot written. While the wire is blocked three things wait: a few
    replies, the fact that a newer snapshot exists, and the newest own line.
    """

    __slots__ = (
        "acked",
        "bucket",
        "feed",
        "limit",
        "replies",
        "sent",
        "since",
        "transport",
        "user_id",
        "waiting",
        "wire",
        "you",
    )

    def __init__(self, feed: Feed, limit: int, wire: Wire, transport: str) -> None:
        self.feed = feed
        self.limit = limit
        self.wire = wire
        self.transport = transport
        self.user_id: str | None = None
        self.sent: Key | None = None
        self.acked: Key | None = None
        self.replies: list[Packet] | None = None
        self.you: Packet | None = None
        self.bucket = -1
        self.since = 0.0  # time.monotonic() when the wire last accepted a byte, while it is blocked
        self.waiting = 0  # bytes it had yet to accept at that moment
        wire.attach(self)

    # --- what the hub and the viewer's own requests put in ---

    def reply(self, packet: Packet) -> None:
        """Something for this viewer alone, in the order it came."""
        if not self.wire.blocked:
            self.wire.write(packet)
        elif self.replies is None:
            self.replies = [packet]
        elif len(self.replies) < MAX_REPLIES:
            self.replies.append(packet)

    def show(self) -> None:
        """The board's newest snapshot, unless it has it; a blocked viewer gets the one that is newest by then."""
        snapshot = self.feed.snapshot
        if snapshot is not None and not self.wire.blocked and self.sent != snapshot.key:
            self.sent = snapshot.key
            self.wire.write(snapshot.packet(self.limit))

    def show_you(self, packet: Packet) -> None:
        if self.wire.blocked:
            self.you = packet
        else:
            self.wire.write(packet)

    def resume(self, claimed: tuple[object, object]) -> None:
        """The viewer says which (epoch, seq) it has; whatever that is, it ends up with the newest."""
        snapshot = self.feed.snapshot
        if snapshot is not None and claimed == snapshot.key:
            self.sent = snapshot.key
            self.reply(messages.current(snapshot.page))
        else:
            self.sent = None
            self.show()

    def acknowledge(self, seq: int) -> bool:
        """The viewer says it has this seq; returns whether it was sent and had not been acknowledged."""
        if self.sent is None:
            return False
        epoch, newest = self.sent
        before = self.acked[1] if self.acked and self.acked[0] == epoch else 0
        if not before < seq <= newest:
            return False
        self.acked = (epoch, seq)
        self.feed.acknowledged(self.acked)
        return True

    # --- what the wire reports ---

    def wire_blocked(self) -> None:
        self.since = time.monotonic()
        self.waiting = self.wire.waiting()
        self.feed.hub.blocked.add(self)

    def wire_cleared(self) -> None:
        self.feed.hub.blocked.discard(self)
        while self.replies and not self.wire.blocked:
            self.wire.write(self.replies.pop(0))
        self.show()
        if self.you is not None and not self.wire.blocked:
            packet, self.you = self.you, None
            self.wire.write(packet)

    def wire_lost(self) -> None:
        self.leave()

    # --- coming and going ---

    def stalled_for(self, now: float) -> float:
        """Seconds since the wire last accepted a byte."""
        waiting = self.wire.waiting()
        if waiting < self.waiting:
            self.since = now
        self.waiting = waiting
        return now - self.since

    def leave(self) -> None:
        """Forgets the viewer everywhere; harmless when repeated."""
        self.wire.detach()
        self.feed.hub.blocked.discard(self)
        self.feed.leave(self)
