"""One viewer: what it has been told, and the slots for what it should be told next. There is no queue."""

from leaderboard.live import messages
from leaderboard.live.messages import EncodedPage, Key, Packet
from leaderboard.live.transport import Transport

MAX_REPLIES = 8  # answers kept for a viewer that is blocked while it goes on asking; further ones are dropped


class Viewer:
    """`kind`: websocket or sse. `limit`: how many lines it shows. `user_id`: whose own line it also gets, if anybody's.

    `latest` is the newest snapshot there is for it, `sent` the (epoch, seq) of the last one written. While the
    transport is blocked three things wait: a few replies, the latest snapshot, and the newest own line.
    """

    __slots__ = (
        "acked",
        "bucket",
        "kind",
        "latest",
        "limit",
        "replies",
        "sent",
        "since",
        "transport",
        "user_id",
        "waiting",
        "you",
    )

    def __init__(self, transport: Transport, kind: str, limit: int) -> None:
        self.transport = transport
        self.kind = kind
        self.limit = limit
        self.user_id: str | None = None
        self.latest: EncodedPage | None = None
        self.sent: Key | None = None
        self.acked: Key | None = None
        self.replies: list[Packet] | None = None
        self.you: Packet | None = None
        self.bucket = -1
        self.since = 0.0  # time.monotonic() when it was last seen to accept a byte, 0 while it is not blocked
        self.waiting = 0  # bytes it had yet to accept at that moment
        transport.attach(self.drained)

    def reply(self, packet: Packet) -> None:
        """Something for this viewer alone, in the order it came."""
        if not self.transport.blocked:
            self.transport.write(packet)
        elif self.replies is None:
            self.replies = [packet]
        elif len(self.replies) < MAX_REPLIES:
            self.replies.append(packet)

    def show(self, newest: EncodedPage) -> None:
        """The board's newest snapshot; a blocked viewer gets the one that is newest by then."""
        self.latest = newest
        self.catch_up()

    def catch_up(self) -> None:
        """Writes the latest snapshot unless the viewer has its rows."""
        newest = self.latest
        if newest is None or self.transport.blocked:
            return
        epoch, seq = newest.since(self.limit)
        if self.sent is None or self.sent[0] != epoch or self.sent[1] < seq:
            self.sent = newest.key
            self.transport.write(newest.packet(self.limit))

    def show_you(self, packet: Packet) -> None:
        if self.transport.blocked:
            self.you = packet
        else:
            self.transport.write(packet)

    def resume(self, claimed: tuple[object, object]) -> None:
        """The viewer says which (epoch, seq) it has; whatever that is, it ends up with the newest.

        Of a claim between the two that are compared here nothing is known: another process may have read the board at
        a moment in which this one did not.
        """
        if self.latest is not None and claimed in (self.latest.key, self.latest.since(self.limit)):
            self.sent = self.latest.key
            self.reply(messages.current(self.latest.page))
        else:
            self.sent = None
            self.catch_up()

    def acknowledge(self, seq: int) -> bool:
        """The viewer says it has this seq; returns whether it was sent and had not been acknowledged."""
        if self.sent is None:
            return False
        epoch, newest = self.sent
        before = self.acked[1] if self.acked and self.acked[0] == epoch else 0
        if not before < seq <= newest:
            return False
        self.acked = (epoch, seq)
        return True

    def drained(self) -> None:
        """The transport is free again."""
        self.since = 0.0
        while self.replies and not self.transport.blocked:
            self.transport.write(self.replies.pop(0))
        self.catch_up()
        if self.you is not None and not self.transport.blocked:
            packet, self.you = self.you, None
            self.transport.write(packet)

    def stalled_for(self, now: float) -> float:
        """Seconds since the transport was last seen to accept a byte, asked about once a second; 0 if it is free."""
        if not self.transport.blocked:
            return 0.0
        waiting = self.transport.waiting()
        if not self.since or waiting < self.waiting:
            self.since = now
        self.waiting = waiting
        return now - self.since
