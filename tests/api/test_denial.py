"""Much work for little effort: what costs the attacker a line must not cost the site a thread or a second."""

import json
import socket
from collections.abc import Iterator

import pytest

from accounts.models import User
from api.parsers import MAX_AWARDS_BODY_BYTES
from config.urls import openapi_document
from tests.support.client import MINT, Api
from tests.support.people import bearer
from tests.support.processes import PATIENCE
from tests.support.unlimited import UNLIMITED
from tests.system.deploy.nginx import Web
from tests.system.live.server import Server

UNREAD = {
    "a method that is not allowed": b"PUT /api/v1/auth/token/verify HTTP/1.1",
    "nobody signed in": b"POST /api/v1/score/bonus HTTP/1.1",
    "no such page": b"POST /nowhere HTTP/1.1",
}

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture(scope="module")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    web = Web(tmp_path_factory.mktemp("denial") / "web.log", **UNLIMITED)
    yield web
    web.close()
    assert "Traceback" not in web.log.read_text()


def answer(wire: socket.socket) -> bytes:
    """One answer that has a length, its head and its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = wire.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while len(body) < length and (piece := wire.recv(65536)):
        body += piece
    return head


@pytest.mark.parametrize("line", UNREAD.values(), ids=UNREAD)
def test_a_body_that_nobody_wanted_costs_no_one_else_the_connection(web: Server, line: bytes) -> None:
    """A proxy sends the next client's request over it. The server must have said that it closes, or must not close."""
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.sendall(line + b"\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n")
            wire.sendall(b'{"token":"x"}')
            first = answer(wire)
            assert b" 40" in first.split(b"\r\n")[0]
            if b"connection: close" not in first.lower():
                wire.sendall(b"GET /api/v1/action/types HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert answer(wire).startswith(b"HTTP/1.1 200 "), first


@pytest.mark.parametrize("length", [MAX_AWARDS_BODY_BYTES + 1, 2**31, 2**62])
def test_a_body_too_long_to_wait_for_ends_the_connection_and_says_so(web: Server, length: int) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE) as wire:
        wire.sendall(b"POST /api/v1/score/bonus HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n{" % length)
        assert b"connection: close" in answer(wire).lower()
        assert wire.recv(1) == b""


def test_an_endless_chunked_body_is_not_read_to_its_end(web: Server, alice: User) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE) as wire:
        authorization = bearer(alice)["Authorization"].encode()
        wire.sendall(
            b"POST " + MINT.encode() + b" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: application/json\r\nAuthorization: " + authorization + b"\r\n\r\n"
        )
        wire.sendall((b"10000\r\n" + b" " * 65536 + b"\r\n") * (MAX_AWARDS_BODY_BYTES // 65536))
        assert answer(wire).startswith(b"HTTP/1.1 400 ")


def test_the_schema_is_made_once(api: Api) -> None:
    """It takes a tenth of a second, and anybody may ask."""
    openapi_document.cache_clear()
    for _ in range(3):
        assert api.get("/api/v1/schema").status_code == 200
    assert openapi_document.cache_info().misses == 1


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"action_type": "x" * 60_000}),
        "[" * 65_000,
        '{"a":' * 10_000,
        '{"action_type":' + "9" * 60_000 + "}",
        "{" + ",".join(f'"{number}":0' for number in range(6_000)) + "}",
        '{"action_type":"' + "\\ud83d\\ude00" * 5_000 + '"}',
    ],
    ids=["long", "deep lists", "deep objects", "digits", "keys", "escapes"],
)
def test_a_body_that_is_work_to_read_is_refused(api: Api, alice: User, body: str) -> None:
    """Each within the 64 KiB that are read; how long they take is not asserted, that they end in a 400 is."""
    assert api.post(MINT, body.encode(), alice).status_code == 400
