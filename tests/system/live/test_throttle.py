"""At most one push per interval, however many writes, and the last write always goes out."""

import itertools
import random
import threading
import time
from typing import Any

import pytest

from api import redis_client
from leaderboard import boards, snapshots
from tests.support.processes import eventually
from tests.system.live.clients import Message, Socket, viewer, watcher
from tests.system.live.conftest import Start
from tests.system.live.server import NOWHERE, Server
from tests.system.live.writing import announcement, packed, page, user_id, write


def everything_until(alice: Socket, seq: int) -> list[tuple[float, Message]]:
    """(when it came, snapshot) of each push up to this seq."""
    seen: list[tuple[float, Message]] = []
    while not seen or seen[-1][1]["seq"] < seq:
        message = alice.until("leaderboard_update")
        seen.append((time.monotonic(), message))
    return seen


def test_a_burst_becomes_one_push_at_once_and_one_at_its_end(start: Start) -> None:
    server = start(DATABASE_URL=NOWHERE, LEADERBOARD_PUSH_INTERVAL_MS="1500")
    with viewer(server) as alice:
        opening = alice.opening()[1]
        rested = time.monotonic() + 1.6
        eventually(lambda: time.monotonic() > rested, "the first push is an interval old")
        began = time.monotonic()
        write("alice", 1, 1)
        first = alice.until("leaderboard_update")
        for version in range(2, 200):
            write("alice", version, version)
        intervals = (time.monotonic() - began) / 1.5  # none, unless the machine is very busy
        rest = [message for _, message in everything_until(alice, page().seq or 0)]
    assert page().seq == opening["seq"] + 199
    assert first["top"][0]["score"] == 1
    assert 1 <= len(rest) <= 1 + int(intervals)
    assert rest[-1]["top"][0]["score"] == 199


def test_pushes_keep_their_distance_under_a_stream_of_writes(start: Start) -> None:
    interval = 0.25
    server = start(DATABASE_URL=NOWHERE, LEADERBOARD_PUSH_INTERVAL_MS=str(int(interval * 1000)))
    over = threading.Event()

    def write_on() -> None:
        for version in itertools.count(1):
            write("alice", version, version)
            if over.is_set():
                return

    with viewer(server) as alice:
        alice.opening()
        writer = threading.Thread(target=write_on)
        writer.start()
        try:
            pushes = [alice.until("leaderboard_update") for _ in range(8)]
        finally:
            over.set()
            writer.join()
        newest = page().seq or 0
        if pushes[-1]["seq"] < newest:
            everything_until(alice, newest)
        counted = server.metric("scoreboard_live_pushes_total", board="global")
        assert server.metric("scoreboard_live_encodes_total") == counted
    seqs = [push["seq"] for push in pushes]
    assert seqs == sorted(set(seqs))
    assert max(after - before for before, after in itertools.pairwise(seqs)) > 1  # writes were skipped over


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 4))])
def test_no_pattern_of_writes_loses_its_last_one(live: Server, seed: int) -> None:
    """Pauses around the interval's length: the moments in which a throttle can forget that it owes something."""
    rhythm = random.Random(seed)
    with viewer(live) as alice:
        alice.opening()
        version = 0
        for _ in range(15):
            for _ in range(rhythm.randint(1, 3)):
                version += 1
                write("alice", version, version)
            deadline = time.monotonic() + rhythm.uniform(0.0, 0.15)
            while (left := deadline - time.monotonic()) > 0:
                time.sleep(left)
        last = everything_until(alice, page().seq or 0)[-1][1]
    assert last["top"] == [snapshots.row_data(row) for row in page().rows]


def test_an_announcement_that_never_came_is_made_up_for(live: Server) -> None:
    """A write whose PUBLISH is lost, as Pub/Sub may lose one: the periodic look finds it."""
    with viewer(live) as alice:
        alice.opening()
        write("alice", 30)
        alice.scores({"alice": 30})
        keys = boards.keys(boards.get("global"))
        redis = redis_client.connection()
        pipeline = redis.pipeline()
        pipeline.zincrby(keys.rank, 7, page_member())
        pipeline.hincrby(keys.meta, "seq", 1)
        pipeline.execute()
        alice.scores({"alice": 37})


def page_member() -> bytes:
    members: Any = redis_client.connection().zrange(boards.keys(boards.get("global")).rank, 0, 0)
    return bytes(members[0])


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"x", b"\x80", b"\x90", b"\xc1", b"\xff", b"\x91" * 100_000, packed(type="board.changed")),
        *(packed(type="board.changed", board="nowhere", epoch="e", seq=1), announcement("e", "x")),
        *(announcement("e", float("inf")), announcement("e", 9999999), announcement(None, None), announcement([], {})),
    ],
)
def test_what_others_publish_there_does_no_harm(live: Server, data: bytes) -> None:
    with viewer(live) as alice:
        alice.opening()
        redis_client.connection().publish(boards.channel(boards.get("global")), data)
        write("alice", 30)
        alice.scores({"alice": 30})


@pytest.mark.parametrize(
    "profile",
    [
        b'{"username":"half a pair: \\ud800","avatar":null}',
        *(pytest.param(profile, marks=pytest.mark.long) for profile in (b"{", b"[]", b"null")),
    ],
)
def test_a_line_that_nobody_should_have_written_stops_nothing(live: Server, profile: bytes) -> None:
    keys = boards.keys(boards.get("global"))
    redis = redis_client.connection()
    with viewer(live) as alice:
        alice.opening()
        write("alice", 30)
        alice.scores({"alice": 30})
        redis.hset(keys.profile, mapping={str(user_id("alice")): profile})
        redis.hincrby(keys.meta, "seq", 1)
        before = reads(live)
        eventually(lambda: reads(live) > before, "the line is read")
        write("alice", 31, 2)
        alice.scores({"alice": 31})


def reads(server: Server) -> float:
    return sum(server.metric("scoreboard_live_reads_total", outcome=outcome) for outcome in ("read", "away"))


def test_old_announcements_cost_no_read(live: Server) -> None:
    board = page()
    before = live.metric("scoreboard_live_reads_total", outcome="read")
    redis = redis_client.connection()
    for _ in range(50):
        redis.publish(boards.channel(boards.get("global")), announcement(board.epoch, board.seq))
    write("alice", 30)
    with viewer(live) as alice:
        alice.scores({"alice": 30})
    assert live.metric("scoreboard_live_reads_total", outcome="read") - before <= 3


def test_encoding_is_done_once_for_each_limit_in_use(live: Server) -> None:
    with viewer(live) as one, viewer(live) as two, viewer(live, "?limit=3") as three:
        for alice in (one, two, three):
            alice.opening()
        encodes = live.metric("scoreboard_live_encodes_total")
        pushes = live.metric("scoreboard_live_pushes_total", board="global")
        write("alice", 30)
        for alice in (one, two, three):
            alice.scores({"alice": 30})
        assert live.metric("scoreboard_live_pushes_total", board="global") == pushes + 1
        assert live.metric("scoreboard_live_encodes_total") == encodes + 2


@pytest.mark.parametrize("watch", [viewer, watcher], ids=["websocket", "sse"])
def test_a_change_below_a_viewers_rows_is_not_sent_to_it(live: Server, watch: Any) -> None:
    """A hundred rows are one board with one seq; three of them change seldom."""
    names = ["alice", "bob", "carol"]
    for score, name in enumerate(names):
        write(name, 30 - score)
    with watch(live, "?limit=3") as three, viewer(live) as all_of_them:
        shown = three.until("leaderboard_update", seq=page().seq)
        for number in range(4):
            write(f"player-{number}", 10 + number)
            all_of_them.until("leaderboard_update", seq=page().seq)
        write("alice", 31, 2)
        newest = three.until("leaderboard_update")
        assert newest["seq"] == page().seq == shown["seq"] + 5
        assert (newest["players"], [row["score"] for row in newest["top"]]) == (7, [31, 29, 28])


def test_who_resumes_with_rows_that_did_not_change_is_told_the_seq_and_the_players(live: Server) -> None:
    write("alice", 30)
    with viewer(live, "?limit=1") as one, viewer(live) as all_of_them:
        shown = one.until("leaderboard_update", seq=page().seq)
        write("bob", 20)
        all_of_them.until("leaderboard_update", seq=page().seq)
        for seq in (shown["seq"], page().seq):
            one.say(type="resume", epoch=shown["epoch"], seq=seq)
            assert one.next() == {"type": "current", "epoch": shown["epoch"], "seq": page().seq, "players": 2}
