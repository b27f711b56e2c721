"""A viewer's slots: what is written when its wire is free, and what becomes of the rest when it is not."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.live.feed import Snapshot
from leaderboard.live.hub import Hub
from leaderboard.live.packets import Packet
from leaderboard.live.viewers import MAX_REPLIES, Viewer
from leaderboard.live.wires import Listener
from leaderboard.ranking import Page, Row


class SlowWire:
    """Takes what the test lets it take: each packet blocks it until `drain`."""

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self.blocked = False
        self.slow = True
        self.written: list[Packet] = []

    def attach(self, listener: Listener) -> None:
        self.listener = listener

    def detach(self) -> None:
        self.listener = None

    def write(self, packet: Packet) -> None:
        assert not self.blocked, "nothing may be written to a blocked wire"
        self.written.append(packet)
        if self.slow:
            self.blocked = True
            assert self.listener is not None
            self.listener.wire_blocked()

    def drain(self) -> None:
        if self.blocked:
            self.blocked = False
            assert self.listener is not None
            self.listener.wire_cleared()

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


def with_viewer(test: Callable[[Viewer, SlowWire], None]) -> None:
    """Runs the test on a viewer of a hub whose loop never gets to run: nothing happens but what the test does."""

    async def run() -> None:
        hub = Hub()
        feed = hub.feeds["global"]
        wire = SlowWire()
        viewer = Viewer(feed, 10, wire, "websocket")
        feed.join(viewer)
        test(viewer, wire)
        viewer.leave()
        assert viewer not in hub.blocked
        assert not feed.viewers
        await hub.source.close()

    asyncio.run(run())


def push(viewer: Viewer, seq: int, epoch: str = "e") -> None:
    viewer.feed.snapshot = Snapshot(viewer.feed.board, page(seq, epoch))
    viewer.show()


def test_a_blocked_viewer_gets_the_newest_of_many_snapshots() -> None:
    def test(viewer: Viewer, wire: SlowWire) -> None:
        for seq in range(1, 50):
            push(viewer, seq)
        assert len(wire.written) == 1
        wire.drain()
        assert [packet.event_id for packet in wire.written] == ["e:1", "e:49"]
        wire.drain()
        assert len(wire.written) == 2

    with_viewer(test)


def test_of_its_own_line_too_only_the_newest_waits() -> None:
    def test(viewer: Viewer, wire: SlowWire) -> None:
        lines = [packet("you") for _ in range(9)]
        for line in lines:
            viewer.show_you(line)
        wire.drain()
        assert wire.written == [lines[0], lines[-1]]

    with_viewer(test)


def test_replies_wait_in_order_and_are_few() -> None:
    def test(viewer: Viewer, wire: SlowWire) -> None:
        replies = [packet("error") for _ in range(30)]
        for reply in replies:
            viewer.reply(reply)
        for _ in replies:
            wire.drain()
        assert wire.written == replies[: MAX_REPLIES + 1]

    with_viewer(test)


def test_a_new_epoch_is_new_whatever_its_seq() -> None:
    def test(viewer: Viewer, wire: SlowWire) -> None:
        wire.slow = False
        push(viewer, 9, "one")
        push(viewer, 1, "two")
        assert [packet.event_id for packet in wire.written] == ["one:9", "two:1"]

    with_viewer(test)


steps = st.lists(
    st.sampled_from(["push", "epoch", "you", "reply", "drain", "fast", "slow", "resume", "ack"]), max_size=60
)


@given(steps)
def test_whatever_happens_it_ends_with_the_newest_of_everything(history: list[str]) -> None:
    def test(viewer: Viewer, wire: SlowWire) -> None:
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
                    wire.drain()
                case "fast" | "slow":
                    wire.slow = step == "slow"
                case "resume":
                    viewer.resume((f"e{epoch}", seq))
                case "ack":
                    viewer.acknowledge(seq)
        for _ in range(MAX_REPLIES + 3):
            wire.drain()
        snapshots = [packet for packet in wire.written if packet.kind in ("leaderboard_update", "current")]
        if viewer.feed.snapshot is not None:
            assert snapshots[-1].event_id == f"e{epoch}:{seq}"
        if len(lines) > 1:
            assert [packet for packet in wire.written if packet.kind == "you"][-1] is lines[-1]
        order = [tuple(packet.event_id.split(":")) for packet in snapshots if packet.kind == "leaderboard_update"]
        numbers = [(int(before[1:]), int(after)) for before, after in order]
        assert numbers == sorted(numbers), "no viewer is taken back in time"

    with_viewer(test)


@pytest.mark.parametrize(
    ("sent", "acked", "counts"),
    [(None, 1, False), (5, 5, True), (5, 4, True), (5, 6, False), (5, 0, False), (5, -1, False)],
)
def test_only_what_was_sent_can_be_acknowledged(sent: int | None, acked: int, counts: bool) -> None:
    def test(viewer: Viewer, wire: SlowWire) -> None:
        if sent is not None:
            push(viewer, sent)
        assert viewer.acknowledge(acked) is counts
        assert viewer.acknowledge(acked) is False  # and only once

    with_viewer(test)
