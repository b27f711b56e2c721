"""One message in its three encodings."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode
from websockets.protocol import CLIENT, Protocol

from leaderboard import boards
from leaderboard.boards import Board
from leaderboard.live import messages
from leaderboard.live.messages import Packet

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def received(data: bytes) -> list[tuple[Opcode, bytes]]:
    """What a WebSocket client makes of these bytes."""
    client = Protocol(CLIENT)
    client.receive_data(data)
    return [(event.opcode, bytes(event.data)) for event in client.events_received()]  # type: ignore[union-attr]


@given(texts, st.integers(0, 3))
def test_a_frame_is_one_whole_text_message(name: str, size: int) -> None:
    fields = {"type": "you", "name": name * (1, 10, 100, 400)[size]}
    packet = Packet(fields)
    [(opcode, data)] = received(packet.frame)
    assert opcode is Opcode.TEXT
    assert json.loads(data) == json.loads(packet.text) == fields


@given(texts)
def test_an_event_has_one_data_line_whatever_is_in_it(name: str) -> None:
    packet = Packet({"type": "you", "name": name}, event_id="e:1")
    lines = packet.event.decode().split("\n")
    assert [line.partition(":")[0] for line in lines] == ["event", "id", "data", "", ""]
    assert "\r" not in packet.event.decode()
    assert json.loads(lines[2].removeprefix("data: ")) == {"type": "you", "name": name}


@given(texts)
def test_a_chunk_says_its_length(name: str) -> None:
    packet = Packet({"type": "you", "name": name}, prelude=": hello\n\n")
    size, _, rest = packet.chunk.partition(b"\r\n")
    assert rest == packet.event + b"\r\n"
    assert int(size, 16) == len(packet.event)


def test_encoding_is_done_once() -> None:
    packet = Packet({"type": "you"})
    assert packet.frame is packet.frame
    assert packet.chunk is packet.chunk


def test_who_counts_down_is_told_the_clock_by_which_a_board_ends(db: None) -> None:
    ending = Board("weekly", "Weekly", 7, "2026-W47", ends_at=datetime(2026, 11, 23, tzinfo=UTC))
    said = json.loads(messages.hello(ending, None, None).text)
    assert said["ends_at"] == "2026-11-23T00:00:00+00:00"
    assert abs(datetime.fromisoformat(said["now"]) - boards.listing().now) < timedelta(minutes=1)
    assert "now" not in json.loads(messages.hello(boards.GLOBAL, None, None).text)
