"""Bytes that no client would send. Whatever they are, the server goes on serving the others, and meets no defect."""

import base64
import os
import random
import socket
import struct

import pytest

from tests.live.clients import viewer
from tests.live.server import Server, eventually
from tests.live.writing import write

HANDSHAKE = (
    "GET /scoreboard/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)
WORDS = [
    b"resume",
    b"ack",
    b"authenticate",
    b"type",
    b"epoch",
    b"seq",
    b"token",
    b"{",
    b"}",
    b'"',
    b":",
    b",",
    b"[",
    b"]",
]
WORDS += [b"null", b"1e999", b"-1", b"\\ud800", b"\xff", b"\x00", b"9" * 400, b"NaN", b"Infinity", b" "]


def frame(rhythm: random.Random, payload: bytes) -> bytes:
    """A client's frame, or something near one."""
    opcode = rhythm.choice([0, 1, 1, 1, 2, 3, 8, 9, 10, 15])
    first = opcode | rhythm.choice([0x80, 0x80, 0x80, 0x00, 0xC0, 0xF0])
    masked = rhythm.choice([0x80, 0x80, 0x80, 0x00])
    length = rhythm.choice([len(payload)] * 4 + [0, 125, 126, 65535, 2**31, 2**63 - 1, 2**64 - 1])
    if length < 126:
        head = struct.pack("!BB", first, masked | length)
    elif length < 2**16:
        head = struct.pack("!BBH", first, masked | 126, length)
    else:
        head = struct.pack("!BBQ", first, masked | 127, length)
    key = rhythm.randbytes(4) if masked else b""
    return head + key + (bytes(b ^ key[i % 4] for i, b in enumerate(payload)) if key else payload)


def send(server: Server, *parts: bytes) -> None:
    """Sends all of it and waits for the server to have taken it, or to have closed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass


def handshake(more: str = "") -> bytes:
    return HANDSHAKE.format(key=base64.b64encode(os.urandom(16)).decode(), more=more).encode("latin-1")


def assert_it_goes_on(server: Server) -> None:
    with viewer(server) as alice:
        alice.opening()
        write("alice", 30)
        alice.scores({"alice": 30})
    eventually(lambda: server.viewers() == 0, "the others have left")


@pytest.mark.parametrize("seed", range(12))
def test_frames_of_every_kind(live: Server, seed: int) -> None:
    rhythm = random.Random(seed)
    for _ in range(40):
        frames = []
        for _ in range(rhythm.randint(1, 12)):
            payload = b"".join(rhythm.choices(WORDS, k=rhythm.randint(0, 30)))
            frames.append(
                frame(rhythm, payload if rhythm.random() < 0.8 else rhythm.randbytes(rhythm.randint(0, 5000)))
            )
        send(live, handshake(), *frames)
    assert_it_goes_on(live)


@pytest.mark.parametrize("seed", range(6))
def test_requests_of_every_kind(live: Server, seed: int) -> None:
    rhythm = random.Random(seed)
    headers = ["Origin", "Cookie", "Authorization", "Host", "Last-Event-ID", "Sec-WebSocket-Protocol", "X-Request-ID"]
    headers += ["X-Forwarded-For", "Sec-WebSocket-Version", "Sec-WebSocket-Extensions", "Upgrade", "Content-Length"]
    values = [
        "",
        "bearer",
        "bearer,",
        "bearer, x",
        ",",
        "null",
        "http://[",
        "http://[::1",
        "\xff",
        "a" * 9000,
        "-1",
        "1",
    ]
    values += [
        "Bearer",
        "Bearer  ",
        "Basic x",
        "sessionid=",
        'sessionid="\\',
        "sessionid=x; sessionid=y",
        "=",
        ";;;",
        "e:1",
    ]
    targets = [
        "/scoreboard/live",
        "/api/v1/scoreboard/stream",
        "/scoreboard/live?limit=%",
        "/healthz",
        "*",
        "/",
        "//",
        "x",
    ]
    targets += ["/api/v1/scoreboard/stream?%00=%00&=&&;", "/scoreboard/live?" + "a" * 9000, "/%2e%2e/", "/\xff"]
    for _ in range(40):
        lines = "".join(f"{rhythm.choice(headers)}: {rhythm.choice(values)}\r\n" for _ in range(rhythm.randint(0, 4)))
        if rhythm.random() < 0.5:
            send(live, handshake(lines), frame(rhythm, b'{"type":"resume"}'))
        else:
            method = rhythm.choice(["GET", "GET", "HEAD", "POST", "OPTIONS", "CONNECT", "get", ""])
            send(live, f"{method} {rhythm.choice(targets)} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode("latin-1"))
    assert_it_goes_on(live)
