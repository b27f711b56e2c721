"""A transport of a live viewer, in the hand of a test."""

from leaderboard.live.messages import Packet
from leaderboard.live.transport import Drained


class SlowTransport:
    """Takes what the test lets it take: each packet blocks it until `drain`."""

    def __init__(self) -> None:
        self.drained: Drained | None = None
        self.blocked = False
        self.slow = True
        self.written: list[Packet] = []

    def attach(self, drained: Drained) -> None:
        self.drained = drained

    def detach(self) -> None:
        self.drained = None

    def write(self, packet: Packet) -> None:
        assert not self.blocked, "nothing may be written to a blocked transport"
        self.written.append(packet)
        if self.slow:
            self.blocked = True

    def drain(self) -> None:
        if self.blocked:
            self.blocked = False
            assert self.drained is not None
            self.drained()

    def waiting(self) -> int:
        return int(self.blocked)

    def close(self, code: int, reason: str) -> None: ...

    def abort(self) -> None: ...

    def kinds(self) -> list[str]:
        return [packet.kind for packet in self.written]
