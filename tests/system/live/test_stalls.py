"""Viewers that stop reading: they cost a bounded amount, disturb no other viewer, and are closed."""

import json
import struct
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from leaderboard import boards, ranking
from tests.support.processes import eventually
from tests.system.live.clients import Stalled, stalled, viewer
from tests.system.live.conftest import Start
from tests.system.live.server import NOWHERE, Server
from tests.system.live.writing import page, standing, write

TRANSPORTS = ["websocket", pytest.param("sse", marks=pytest.mark.long)]
LONG_NAME = "n" * 200  # so that a snapshot of 100 lines has some 30 KB


@pytest.fixture
def busy(start: Start) -> Iterator[Callable[..., Server]]:
    """A server with a big board that changes all the time."""
    over = threading.Event()
    writers: list[threading.Thread] = []

    def one(**changes: str) -> Server:
        ranking.write(boards.get("global"), [standing(f"{LONG_NAME}{number}", 1000 + number) for number in range(100)])
        server = start(DATABASE_URL=NOWHERE, LEADERBOARD_PUSH_INTERVAL_MS="50", **changes)

        def write_on() -> None:
            version = 1
            while not over.wait(0.02):
                version += 1
                write(f"{LONG_NAME}0", 5000 + version, version)

        writers.append(threading.Thread(target=write_on))
        writers[-1].start()
        return server

    yield one
    over.set()
    for writer in writers:
        writer.join()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_reader_that_stops_reading_is_closed_and_disturbs_nobody(busy: Callable[..., Server], transport: str) -> None:
    server = busy(LEADERBOARD_EVICT_SECONDS="6")
    # She is told little: what she does not read meanwhile must not make her one of them.
    with viewer(server, "?limit=1") as alice, stalled(server, transport, 5) as readers:
        alice.opening()
        eventually(lambda: server.metric("scoreboard_live_blocked") == 5, "all five are blocked")
        before = alice.until("leaderboard_update")["seq"]
        eventually(
            lambda: server.metric("scoreboard_live_evictions_total", transport=transport) == 5, "all five are closed"
        )
        eventually(lambda: connections_of(server) == 1, "their sockets are gone, zero window or not")
        assert server.viewers() == 1
        assert alice.until("leaderboard_update")["seq"] > before
        for reader in readers:
            reader.rest()
    assert page().seq


def connections_of(server: Server) -> int:
    """Established connections of the server's viewers."""
    found = psutil.Process(server.process.pid).net_connections("tcp")
    return sum(one.status == "ESTABLISHED" and one.laddr.port == server.port for one in found)


def test_one_that_reads_again_in_time_gets_the_newest_and_nothing_in_between(busy: Callable[..., Server]) -> None:
    server = busy(LEADERBOARD_EVICT_SECONDS="60")
    with stalled(server, "websocket") as [reader]:
        eventually(lambda: server.metric("scoreboard_live_blocked") == 1, "it is blocked")
        pushes = server.metric("scoreboard_live_pushes_total")
        eventually(lambda: server.metric("scoreboard_live_pushes_total") > pushes + 40, "forty more pushes")
        newest = page().seq or 0
        seqs = sequence(reader, newest)
    assert seqs == sorted(set(seqs))
    assert seqs[-1] >= newest
    assert len(seqs) < 40  # what fitted into the buffers, then the newest


def sequence(reader: Stalled, newest: int) -> list[int]:
    """The seq of every snapshot up to this one, from the bare stream of frames."""
    file = reader.connection.makefile("rb")
    while file.readline().strip():
        pass
    seqs: list[int] = []
    while not seqs or seqs[-1] < newest:
        _, length = file.read(2)
        if length == 126:
            [length] = struct.unpack("!H", file.read(2))
        elif length == 127:
            [length] = struct.unpack("!Q", file.read(8))
        message = json.loads(file.read(length))
        if message["type"] == "leaderboard_update":
            seqs.append(message["seq"])
    file.close()
    return seqs


@pytest.mark.long
def test_one_that_says_goodbye_but_reads_nothing_does_not_keep_its_connection(busy: Callable[..., Server]) -> None:
    """Its goodbye ends the view; closing in order would wait for it to read, which it never does."""
    server = busy(LEADERBOARD_EVICT_SECONDS="60")
    with stalled(server, "websocket", 3) as readers:
        eventually(lambda: server.metric("scoreboard_live_blocked") == 3, "all are blocked")
        for reader in readers:
            reader.connection.sendall(b"\x88\x82\x00\x00\x00\x00\x03\xe8")  # close, code 1000
        eventually(lambda: server.viewers() == 0, "they are forgotten")
        eventually(lambda: connections_of(server) == 0, "their connections are cut")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.long
def test_a_slow_reader_is_not_a_stalled_one(busy: Callable[..., Server], transport: str) -> None:
    """It reads less than comes, but never nothing: it is behind, not gone."""
    server = busy(LEADERBOARD_EVICT_SECONDS="8")
    with stalled(server, transport) as [reader]:
        eventually(lambda: server.metric("scoreboard_live_blocked") == 1, "it is blocked")
        pushes = server.metric("scoreboard_live_pushes_total")
        while server.metric("scoreboard_live_pushes_total") < pushes + 240:  # about twelve seconds
            assert reader.connection.recv(16384)
        assert server.metric("scoreboard_live_evictions_total", transport=transport) == 0
        assert server.viewers() == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_a_stalled_reader_holds_of_our_memory_is_bounded(busy: Callable[..., Server], transport: str) -> None:
    server = busy(LEADERBOARD_EVICT_SECONDS="60")
    process = psutil.Process(server.process.pid)
    with stalled(server, transport, 30):
        eventually(lambda: server.metric("scoreboard_live_blocked") == 30, "all are blocked")
        pushes = server.metric("scoreboard_live_pushes_total")
        before = process.memory_info().rss
        eventually(lambda: server.metric("scoreboard_live_pushes_total") > pushes + 60, "sixty more pushes")
        # Queued, they would have been 60 pushes of 30 KB for each.
        assert process.memory_info().rss - before < 10_000_000
