"""A viewer's slots: what is written when its transport is free, and what becomes of the rest when it is not."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard import boards
from leaderboard.live.messages import EncodedPage, Packet
from leaderboard.live.viewer import MAX_REPLIES, Viewer
from leaderboard.ranking import Page, Row
from tests.support.transport import SlowTransport


def page(seq: int, epoch: str = "e") -> Page:
    row = Row(1, "id", "alice", seq, None, datetime(2026, 1, 1, tzinfo=UTC))
    return Page(epoch, seq, 1.5, 1, [row])


def packet(kind: str) -> Packet:
    return Packet({"type": kind})


def with_viewer(test: Callable[[Viewer, SlowTransport], None]) -> None:
    transport = SlowTransport()
    test(Viewer(transport, "websocket", 10), transport)


def push(viewer: Viewer, seq: int, epoch: str = "e") -> None:
    viewer.show(EncodedPage(boards.GLOBAL, page(seq, epoch)))


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


def board(seq: int, scores: list[int], epoch: str = "e") -> Page:
    return Page(
        epoch, seq, 1.5, len(scores), [replace(page(score).rows[0], rank=at) for at, score in enumerate(scores, 1)]
    )


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 2, 3]), st.sampled_from(["push", "drain", "join", "epoch"])), max_size=40)
)
def test_a_change_is_sent_to_those_who_show_a_row_of_it(history: list[tuple[int, str]]) -> None:
    """Viewers of one, two and three rows. A slow one skips snapshots, and all end with the newest of their rows."""
    transports = {limit: SlowTransport() for limit in (1, 2, 3)}
    viewers = {limit: Viewer(transport, "websocket", limit) for limit, transport in transports.items()}
    joined = {3}
    transports[1].slow = transports[2].slow = False
    scores, seq, epoch, newest = [0, 0, 0], 0, 0, None
    changes: dict[int, set[object]] = {limit: set() for limit in viewers}
    for place, step in history:
        match step:
            case "drain":
                transports[3].drain()
                continue
            case "join":
                joined.add(min(place, 2) or 1)
                continue
            case "epoch":
                epoch, seq = epoch + 1, 0
        seq += 1
        if place < 3:
            scores[place] += 1
        newest = EncodedPage(boards.GLOBAL, board(seq, scores, f"e{epoch}"), newest)
        for limit in joined:
            viewers[limit].show(newest)
            changes[limit].add((epoch, *scores[:limit]))
    for _ in range(3):
        transports[3].drain()
    for limit, transport in transports.items():
        shown = [json.loads(packet.payload) for packet in transport.written]
        rows = [(message["epoch"], *(row["score"] for row in message["top"])) for message in shown]
        assert len(rows) == len(changes[limit]) or transport.slow, "one message for each change of its rows"
        assert all(one != other for one, other in pairwise(rows)), "nothing is sent that it has"
        if limit in joined and newest is not None and shown:
            assert rows[-1] == (f"e{epoch}", *scores[:limit])


def test_who_comes_back_with_rows_that_are_still_the_newest_learns_their_seq() -> None:
    def test(viewer: Viewer, transport: SlowTransport) -> None:
        transport.slow = False
        viewer.limit = 1
        first = EncodedPage(boards.GLOBAL, board(1, [5, 3]))
        viewer.show(first)
        second = EncodedPage(boards.GLOBAL, board(2, [5, 4, 0]), first)
        viewer.show(second)
        viewer.resume(("e", 1))
        assert [json.loads(packet.payload) for packet in transport.written[1:]] == [
            {"type": "current", "epoch": "e", "seq": 2, "players": 3}
        ]
        # What another process may have shown in between is not known here.
        third = EncodedPage(boards.GLOBAL, board(4, [5, 4, 1]), second)
        viewer.show(third)
        viewer.resume(("e", 3))
        assert transport.kinds()[2:] == ["leaderboard_update"]

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
