"""The WebSocket protocol, message by message."""

import json
import socket
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from leaderboard import snapshots
from tests.support.processes import PATIENCE
from tests.system.live.clients import viewer, watcher
from tests.system.live.conftest import PUSH_MS
from tests.system.live.server import Server
from tests.system.live.writing import page, user_id, write


def test_a_viewer_is_greeted_then_shown_the_board(live: Server) -> None:
    write("alice", 30)
    board = page()
    with viewer(live) as alice:
        hello = alice.next()
        assert hello == {
            "type": "connection_success",
            "board": "global",
            "epoch": board.epoch,
            "seq": hello["seq"],
            "interval_ms": PUSH_MS,
            "user_id": None,
        }
        assert alice.scores({"alice": 30}) == {
            "type": "leaderboard_update",
            "board": "global",
            "epoch": board.epoch,
            "seq": board.seq,
            "timestamp": board.updated,
            "players": 1,
            "top": [
                {"rank": 1, "user_id": str(user_id("alice")), "username": "alice", "score": 30, "avatar": None},
            ],
        }


def test_a_change_reaches_every_viewer_with_a_higher_seq(live: Server) -> None:
    with viewer(live) as one, viewer(live) as other:
        before = [watching.opening()[1]["seq"] for watching in (one, other)]
        write("alice", 30)
        after = [watching.scores({"alice": 30})["seq"] for watching in (one, other)]
        assert after[0] == after[1]
        assert after[0] > max(before)


@pytest.mark.parametrize(
    ("query", "lines"), [("", 10), ("?limit=1", 1), ("?limit=3&board=global", 3), ("?limit=100", 12)]
)
def test_each_viewer_gets_as_many_lines_as_it_asked_for(live: Server, query: str, lines: int) -> None:
    for number in range(12):
        write(f"player-{number}", 100 - number)
    # The server has read the last of them: a viewer who is shown less is not told of what changes below.
    with viewer(live, "?limit=100") as everything:
        everything.until("leaderboard_update", seq=page().seq)
    with viewer(live, query) as alice:
        snapshot = alice.until("leaderboard_update", seq=page().seq)
        assert snapshot["top"] == [snapshots.row_data(row) for row in page().rows[:lines]]
        assert snapshot["players"] == 12


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?limit=0", "invalid-request"),
        ("?limit=101", "invalid-request"),
        ("?limit=-1", "invalid-request"),
        ("?limit=1.5", "invalid-request"),
        ("?limit=", "invalid-request"),
        ("?limit=%D9%A1", "invalid-request"),  # an Arabic 1 is a digit to Python's int
        ("?limit=99999999999999999999", "invalid-request"),
        ("?limit=5&limit=6", "invalid-request"),
        ("?board=%FF", "invalid-request"),
        ("?board=", "invalid-request"),
        ("?limit=5&window=daily", "invalid-request"),
    ],
)
def test_a_query_that_cannot_be_served_is_explained_and_closed(live: Server, query: str, code: str) -> None:
    with viewer(live, query) as alice:
        messages, close_code = alice.ending()
    assert [(message["type"], message["code"]) for message in messages] == [("error", code)]
    assert messages[0]["detail"]
    assert close_code == 4504


@pytest.mark.parametrize("board", ["nowhere", "__class__"])
def test_without_sql_no_other_board_is_known_and_viewers_are_to_come_back(live: Server, board: str) -> None:
    with viewer(live, f"?board={board}") as alice:
        messages, close_code = alice.ending()
    assert ([message["code"] for message in messages], close_code) == (["unavailable"], 4002)


def test_there_is_no_socket_elsewhere(live: Server) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        connect(f"ws://127.0.0.1:{live.port}/scoreboard/other", proxy=None)
    assert refusal.value.response.status_code == 403


@pytest.mark.parametrize(
    "spoiled",
    ["Transfer-Encoding: chunked\r\n", f"X-Long: {'x' * 9000}\r\n", "X-One: 1\r\n" * 200],
    ids=["a body", "a long line", "many lines"],
)
def test_a_handshake_that_cannot_be_read_is_refused_and_not_kept(live: Server, spoiled: str) -> None:
    head = "GET /scoreboard/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    with socket.create_connection(("127.0.0.1", live.port), timeout=PATIENCE) as connection:
        connection.sendall(f"{head}{key}{spoiled}\r\n".encode())
        answered = b""
        while data := connection.recv(65536):
            answered += data
    assert answered.startswith(b"HTTP/1.1 400 ")


def test_resuming_with_what_is_newest_is_answered_with_current(live: Server) -> None:
    with viewer(live) as alice:
        _, snapshot = alice.opening()
        epoch, seq = snapshot["epoch"], snapshot["seq"]
        alice.say(type="resume", epoch=epoch, seq=seq)
        assert alice.next() == {"type": "current", "epoch": epoch, "seq": seq, "players": 0}


STALE: list[dict[str, Any]] = [
    {"seq": 0},
    {"seq": 10**9},
    {"seq": -1},
    {"seq": "1"},
    {"seq": 1.5},
    {"seq": None},
    {"seq": [1]},
    {"seq": {}},
    {"epoch": "another"},
    {"epoch": None},
    {"epoch": 7},
    {"epoch": ["a"]},
    {"epoch": {}, "seq": {}},
    {"epoch": "\ud800"},
]


@pytest.mark.parametrize("changes", STALE, ids=json.dumps)
def test_resuming_with_anything_else_brings_the_newest_snapshot(live: Server, changes: dict[str, Any]) -> None:
    with viewer(live) as alice:
        _, snapshot = alice.opening()
        alice.say(**{"type": "resume", "epoch": snapshot["epoch"], "seq": snapshot["seq"], **changes})
        assert alice.next() == snapshot


def test_resuming_without_a_word_brings_the_newest_snapshot(live: Server) -> None:
    with viewer(live) as alice:
        _, snapshot = alice.opening()
        alice.say(type="resume")
        assert alice.next() == snapshot


def test_acks_of_what_was_sent_are_silent_and_do_not_count(live: Server) -> None:
    before = live.metric("scoreboard_live_acknowledged_seconds_count")
    with viewer(live) as alice:
        _, snapshot = alice.opening()
        for version in range(1, 25):
            write("alice", version, version)
            snapshot = alice.scores({"alice": version})
            alice.say(type="ack", seq=snapshot["seq"])
        alice.say(type="resume", epoch=snapshot["epoch"], seq=snapshot["seq"])
        assert alice.until("current")["seq"] == snapshot["seq"]
        assert live.metric("scoreboard_live_acknowledged_seconds_count") == before + 24


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        "null",
        "[]",
        '"resume"',
        "7",
        "{}",
        '{"type":null}',
        '{"type":["resume"]}',
        '{"type":"subscribe"}',
        '{"type":"connection_success"}',
        '{"type":"ack"}',
        '{"type":"ack","seq":true}',
        '{"type":"ack","seq":0}',
        '{"type":"ack","seq":99999999}',
        "[" * 4000,
        "1" * 4096,
        "NaN",
        b"\x00\x01",
        b'{"type":"resume"}',
    ],
)
def test_what_is_not_understood_is_answered_with_an_error_and_the_view_goes_on(live: Server, raw: str | bytes) -> None:
    with viewer(live) as alice:
        alice.opening()
        alice.send(raw)
        assert alice.next()["code"] == "invalid-request"
        write("alice", 30)
        alice.scores({"alice": 30})


@pytest.mark.parametrize("size", [4097, 100_000, 3_000_000])
def test_a_message_over_4_kib_ends_the_connection(live: Server, size: int) -> None:
    with viewer(live) as alice:
        alice.opening()
        with suppress(ConnectionClosed):  # the refusal may come before the last byte
            alice.send("x" * size)
        messages, close_code = alice.ending()
    assert [message["code"] for message in messages if message["type"] == "error"] == ["payload-too-large"]
    assert close_code == 4513


def test_4_kib_are_counted_in_bytes(live: Server) -> None:
    with viewer(live) as alice:
        alice.opening()
        alice.send("é" * 2049)
        assert alice.ending()[1] == 4513


def test_a_message_in_endlessly_many_pieces_ends_the_connection(live: Server) -> None:
    with viewer(live) as alice:
        alice.opening()
        with suppress(ConnectionClosed):  # the refusal may come before the last piece
            alice.connection.send(["{"] + [""] * 200)
        assert alice.ending()[1] == 4513


def test_the_21st_message_within_ten_seconds_ends_the_connection(live: Server) -> None:
    with viewer(live) as alice:
        alice.opening()
        for _ in range(21):
            alice.say(type="resume")
        messages, close_code = alice.ending()
    assert [message["type"] for message in messages] == ["leaderboard_update"] * 20 + ["error"]
    assert messages[-1]["code"] == "rate-limited"
    assert close_code == 4529


def test_every_15_seconds_viewers_are_told_what_is_newest(live: Server) -> None:
    """And who has not even finished its request by then is not waited for: tested here to wait only once."""
    with viewer(live) as alice, watcher(live) as bob, socket.create_connection(("127.0.0.1", live.port)) as sluggish:
        sluggish.sendall(b"GET /scoreboard/live HTTP/1.1\r\nHost:")
        sluggish.settimeout(PATIENCE)
        _, snapshot = alice.opening()
        bob.opening()
        before = bob.id
        ping = {"type": "ping", "epoch": snapshot["epoch"], "seq": snapshot["seq"], "players": 0}
        assert alice.until("ping") == bob.until("ping") == ping
        assert bob.comments
        assert bob.id == before  # a ping is no snapshot: it must not change what a viewer claims to have
        with pytest.raises(ConnectionResetError):
            sluggish.recv(1)
