"""A viewer's slots: what is written when its transport is free, and what becomes of the rest when it is not."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.live.messages import EncodedPage, Packet
from leaderboard.live.transport import Drained
from leaderboard.live.viewer import MAX_REPLIES, Viewer
from leaderboard.ranking import Page, Row


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


def page(seq: int, epoch: str = "e") -> Page:
    row = Row(1, "id", "alice", seq, None, datetime(2026, 1, 1, tzinfo=UTC))
    return Page(epoch, seq, 1.5, 1, [row])


def packet(kind: str) -> Packet:
    return Packet({"type": kind})


def with_viewer(test: Callable[[Viewer, SlowTransport], None]) -> None:
    transport = SlowTransport()
    test(Viewer(transport, "websocket", 10), transport)


def push(viewer: Viewer, seq: int, epoch: str = "e") -> None:
    viewer.show(EncodedPage("global", page(seq, epoch)))


def test_a_blocked_viewer_gets_the_newest_of_many_snapshots() -> None:
    def test(viewer: Viewer, transport: SlowTransport) -> None:
        for seq in range(1, 50):
            push(viewer, seq)
        assert len(transport.written) == 1
        transport.drain()
        assert [packet.event_id for packet in transport.written] == ["e:1", "e:49"]
        transport.drain()
        assert len(transport.written) == 2

    with_viewer(test)


def test_of_its_own_line_too_only_the_newest_waits() -> None:
    def test(viewer: Viewer, transport: SlowTransport) -> None:
        lines = [packet("you") for _ in range(9)]
        for line in lines:
            viewer.show_you(line)
        transport.drain()
        assert transport.written == [lines[0], lines[-1]]

    with_viewer(test)


def test_replies_wait_in_order_and_are_few() -> None:
    def test(viewer: Viewer, transport: SlowTransport) -> None:
        replies = [packet("error") for _ in range(30)]
        for reply in replies:
            viewer.reply(reply)
        for _ in replies:
            transport.drain()
        assert transport.written == replies[: MAX_REPLIES + 1]

    with_viewer(test)


def test_a_new_epoch_is_new_whatever_its_seq() -> None:
    def test(viewer: Viewer, transport: SlowTransport) -> None:
        transport.slow = False
        push(viewer, 9, "one")
        push(viewer, 1, "two")
        assert [packet.event_id for packet in transport.written] == ["one:9", "two:1"]

    with_viewer(test)


steps = st.lists(
    st.sampled_from(["push", "epoch", "you", "reply", "drain", "fast", "slow", "resume", "ack"]), max_size=60
)


@given(steps)
def test_whatever_happens_it_ends_with_the_newest_of_everything(history: list[str]) -> None:
    def test(viewer: Viewer, transport: SlowTransport) -> None:
        seq, epoch, lines = 0, 0, [packet("you")]
        for step in history:
            match step:
                case "push":
                    seq += 1
                    push(viewer, seq, f"e{epoch}")
                case "epoch":
                    epoch, seq = epoch + 1, 1
                    push(viewer, seq, f"e{epoch}")
                case "you":
                    lines.append(packet("you"))
                    viewer.show_you(lines[-1])
                case "reply":
                    viewer.reply(packet("error"))
                case "drain":
                    transport.drain()
                case "fast" | "slow":
                    transport.slow = step == "slow"
                case "resume":
                    viewer.resume((f"e{epoch}", seq))
                case "ack":
                    viewer.acknowledge(seq)
        for _ in range(MAX_REPLIES + 3):
            transport.drain()
        snapshots = [packet for packet in transport.written if packet.kind in ("leaderboard_update", "current")]
        if viewer.latest is not None:
            assert snapshots[-1].event_id == f"e{epoch}:{seq}"
        if len(lines) > 1:
            assert [packet for packet in transport.written if packet.kind == "you"][-1] is lines[-1]
        order = [tuple(packet.event_id.split(":")) for packet in snapshots if packet.kind == "leaderboard_update"]
        numbers = [(int(before[1:]), int(after)) for before, after in order]
        assert numbers == sorted(numbers), "no viewer is taken back in time"

    with_viewer(test)


@pytest.mark.parametrize(
    ("sent", "acked", "counts"),
    [(None, 1, False), (5, 5, True), (5, 4, True), (5, 6, False), (5, 0, False), (5, -1, False)],
)
def test_only_what_was_sent_can_be_acknowledged(sent: int | None, acked: int, counts: bool) -> None:
    def test(viewer: Viewer, transport: SlowTransport) -> None:
        if sent is not None:
            push(viewer, sent)
        assert viewer.acknowledge(acked) is counts
        assert viewer.acknowledge(acked) is False  # and only once

    with_viewer(test)
