"""Bytes that no honest client would send to the live server. The others notice nothing, and nothing stays behind.

Longer: `make fuzz`.
"""

import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from random import Random

import psutil
import pytest

from tests.support.people import access_token, player
from tests.support.processes import PATIENCE, eventually
from tests.system.fuzz.frames import handshake, nonsense
from tests.system.fuzz.heard import Heard, heard
from tests.system.fuzz.messages import bad_conversation
from tests.system.fuzz.requests import bad_request
from tests.system.live.clients import Watching, viewer, watcher
from tests.system.live.server import Server
from tests.system.live.writing import write

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
ROUNDS = 3  # of each kind, in the short run
SILENCE = 0.3  # seconds after which it is told that nothing more comes
AT_ONCE = 12  # connections
A_ROUND = 96
ROOM = 24 * 2**20  # bytes; what allocators keep of a burst

Maker = Callable[[Random], list[bytes]]


def sent(server: Server, pieces: list[bytes]) -> Heard:
    """Sends the pieces and hears the server out; it has to end the connection once nothing more will come."""
    answered = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):  # it has hung up already
            connection.sendall(pieces[0])
            connection.settimeout(SILENCE)
            if len(pieces) % 2:  # else everything is there before the handshake is answered
                with suppress(TimeoutError):
                    answered += connection.recv(65536)
            connection.settimeout(PATIENCE)
            for piece in pieces[1:]:
                connection.sendall(piece)
        connection.settimeout(SILENCE)
        for _ in range(2):
            with suppress(ConnectionError):
                try:
                    while data := connection.recv(65536):
                        answered += data
                    break
                except TimeoutError:
                    connection.shutdown(socket.SHUT_WR)
                    connection.settimeout(PATIENCE)
    return heard(answered, b"".join(pieces))


def rounds(seed: int) -> Iterator[int]:
    """The seeds of a run: a few, always the same, or new ones until its share of FUZZ_SECONDS is over."""
    until = time.monotonic() + SECONDS / 10
    number = 0
    while number < ROUNDS or time.monotonic() < until:
        yield seed + number
        number += 1


def besiege(server: Server, maker: Maker, seed: int) -> Heard:
    """Rounds of AT_ONCE connections at a time, beside three viewers who must see every score; all that was heard."""
    together = Heard()
    process = psutil.Process(server.process.pid)
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:
        others: list[Watching] = [stack.enter_context(viewer(server)) for _ in range(2)]
        others.append(stack.enter_context(watcher(server)))
        for other in others:
            other.opening()
        idle, used = process.num_fds(), 0
        for number, one in enumerate(rounds(seed)):
            chance = Random(one)
            attempts = [maker(chance) for _ in range(A_ROUND)]
            for answer in pool.map(lambda pieces: sent(server, pieces), attempts):
                together.statuses += answer.statuses
                together.closes += answer.closes
                assert answer.faults == [], (one, answer)
            write("alice", number + 1, number + 1)
            for other in others:
                other.scores({"alice": number + 1})
            eventually(lambda: server.viewers() == len(others), "the attackers have left")
            eventually(lambda: process.num_fds() <= idle + 1, "their connections are closed")  # one for /metrics
            used = used or process.memory_info().rss  # after a first round, which fills what is kept
        assert process.memory_info().rss < used + ROOM
    eventually(lambda: server.viewers() == 0, "everybody has left")
    sys.stderr.write(
        f"{(number + 1) * A_ROUND} connections: {Counter(together.statuses)}, {Counter(together.closes)}\n"
    )
    return together


@pytest.mark.timeout(1800)
def test_frames_of_every_kind(live: Server) -> None:
    answers = besiege(live, nonsense, seed=1)
    closes = Counter(answers.closes)
    assert {1002, 1007, 4513} <= set(closes)


@pytest.mark.timeout(1800)
def test_messages_of_every_kind(live: Server, transactional_db: None) -> None:
    tokens = [access_token(player("mallory"))]
    answers = besiege(live, lambda chance: bad_conversation(chance, tokens), seed=1001)
    assert {1000, 1007} <= set(answers.closes)


@pytest.mark.timeout(1800)
def test_requests_of_every_kind(live: Server) -> None:
    answers = besiege(live, bad_request, seed=2001)
    assert {101, 200, 400, 404, 405} <= set(answers.statuses)


def test_control_what_a_broken_server_says_is_seen() -> None:
    """The judge, on what no server of ours ever said."""
    switching = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    for said in (
        b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\n\r\n",
        b'HTTP/1.1 400 Bad Request\r\n\r\nFile "/srv/x.py", line 3',
        switching + b"\x88\x02\x03\xf3",  # 1011
        switching + b'\x81\x10{"type":"debug"}',
        switching + b"\x81\x05oops!",
        switching + b"\x88\x02\x0f\xa0\x81\x00",
        switching + b"\x82\x01x",
        b"Traceback",
    ):
        assert heard(said, handshake(Random(0))).faults != [], said
