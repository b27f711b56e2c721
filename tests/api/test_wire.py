"""What no HTTP library would send, over raw sockets: the server process answers 4xx or hangs up, and lives on."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from actions.models import ActionToken
from scoreboard.models import ScoreHistory
from tests.support.client import MINT
from tests.support.people import bearer
from tests.support.processes import PATIENCE
from tests.support.unlimited import UNLIMITED
from tests.support.wire import Client
from tests.system.deploy.nginx import Web
from tests.system.live.server import Server

GOOD = json.dumps({"action_type": "COMPLETE_TASK"}).encode()


pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture(scope="module")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    web = Web(tmp_path_factory.mktemp("wire") / "web.log", **UNLIMITED)
    yield web
    web.close()
    log = web.log.read_text()
    assert "Internal Server Error" not in log
    assert "Traceback" not in log
    assert "panicked" not in log


def told(web: Server, raw: bytes, *, half_close: bool = True) -> int | None:
    """The status of the first answer to these bytes; None when it hung up without one, or spoke HTTP/2."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE) as wire:
        try:
            wire.sendall(raw)
            if half_close:
                wire.shutdown(socket.SHUT_WR)
            head = b""
            while b"\r\n" not in head and (data := wire.recv(65536)):
                head += data
        except OSError:
            return None
    return int(head.split()[1]) if head.startswith(b"HTTP/1") else None


def request(body: bytes = GOOD, *, line: bytes = b"POST /api/v1/action/token HTTP/1.1", **headers: bytes) -> bytes:
    """A request by hand; a header set to b"" is left out."""
    fields = {
        b"Host": b"localhost",
        b"Content-Type": b"application/json",
        b"Content-Length": str(len(body)).encode(),
        **{name.replace("_", "-").encode(): value for name, value in headers.items()},
    }
    lines = [line, *(name + b": " + value for name, value in fields.items() if value)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


BROKEN = {
    "not HTTP": b"\x00\x01\x02\x03\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/9.9": request(line=b"GET / HTTP/9.9"),
    "no path": request(line=b"GET HTTP/1.1"),
    "empty line first": b"\r\n\r\n\r\n",
    "NUL in the path": request(line=b"GET /\x00 HTTP/1.1"),
    "blank in the path": request(line=b"GET /a b HTTP/1.1"),
    "bytes in the path": request(line=b"GET /\xff\xfe HTTP/1.1"),
    "escaped bytes in the path": request(line=b"GET /api/v1/%ff%fe%00 HTTP/1.1"),
    "absolute path": request(line=b"GET http://evil.example/api/v1/scoreboard/top HTTP/1.1"),
    "asterisk": request(line=b"OPTIONS * HTTP/1.1"),
    "authority": request(line=b"CONNECT evil.example:443 HTTP/1.1"),
    "long path": request(line=b"GET /" + b"x" * 200_000 + b" HTTP/1.1"),
    "long query": request(line=b"GET /api/v1/scoreboard/top?limit=" + b"1" * 200_000 + b" HTTP/1.1"),
    "long method": request(line=b"X" * 70_000 + b" / HTTP/1.1"),
    "long header": request(X_Long=b"x" * 1_000_000),
    "many headers": request(**{f"X_{number}": b"x" for number in range(5000)}),
    "header without colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n",
    "header name with blank": b"GET / HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    "NUL in a header": request(X_Evil=b"a\x00b"),
    "newline in a header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\nSet-Cookie: b\r\n\r\n",
    "bytes in a header": request(X_Evil=b"\xff\xfe", Authorization=b"Bearer \xff", Cookie=b"\xff=\xff"),
    "no host": request(Host=b""),
    "two hosts": request().replace(b"\r\n", b"\r\nHost: evil.example\r\n", 1),
    "host of bytes": request(Host=b"\xff\xfe"),
    "two lengths": request().replace(b"\r\n", b"\r\nContent-Length: 1\r\n", 1),
    "length not a number": request(Content_Length=b"ten"),
    "length negative": request(Content_Length=b"-1"),
    "length huge": request(Content_Length=b"9" * 30),
    "length too long, then the end": request(Content_Length=b"1000"),
    "length too short": request(Content_Length=b"3"),
    "length and chunks": request(Transfer_Encoding=b"chunked"),
    "unknown transfer coding": request(Transfer_Encoding=b"gzip", Content_Length=b""),
    "chunk size not a number": request(b"zz\r\nxx\r\n0\r\n\r\n", Transfer_Encoding=b"chunked", Content_Length=b""),
    "chunk size huge": request(b"f" * 30 + b"\r\nxx", Transfer_Encoding=b"chunked", Content_Length=b""),
    "chunks that end early": request(b"5\r\nab", Transfer_Encoding=b"chunked", Content_Length=b""),
    "upgrade": request(Upgrade=b"h2c", Connection=b"Upgrade, HTTP2-Settings", HTTP2_Settings=b"AAMAAABkAAQAAP__"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "expectation": request(Expect=b"something-else"),
}


def test_what_is_no_request_breaks_nothing(web: Server, alice: User) -> None:
    answers: dict[str, int | None] = {}
    with Client(web) as honest:
        for fault, raw in BROKEN.items():
            answers[fault] = told(web, raw)
            assert honest.get("/healthz") == (200, {"status": "ok"}), fault
        assert {fault: status for fault, status in answers.items() if status is not None and status >= 500} == {}
        assert honest.act(alice)["new_score"] == 50
    assert ScoreHistory.objects.count() == 1


def signed(alice: User) -> dict[str, bytes]:
    return {"Authorization": bearer(alice)["Authorization"].encode()}


def test_a_body_over_64_kib_is_refused_whether_or_not_its_length_is_told(web: Server, alice: User) -> None:
    padded = GOOD + b" " * 66_000
    for raw in (
        request(padded, **signed(alice)),
        request(chunked(*[padded] * 20), Transfer_Encoding=b"chunked", Content_Length=b"", **signed(alice)),
    ):
        # It may hang up while the rest of the body is still being sent, and take its answer along.
        assert told(web, raw) in (400, 411, 413, None)
    assert not ActionToken.objects.exists()


def test_a_chunked_body_is_read_or_refused_and_never_taken_for_another(web: Server, alice: User) -> None:
    raw = request(chunked(GOOD[:5], GOOD[5:]), Transfer_Encoding=b"chunked", Content_Length=b"", **signed(alice))
    assert told(web, raw, half_close=False) in (201, 400, 411)


@pytest.mark.parametrize("batch", [False, True])
def test_a_body_that_claims_to_be_huge_is_refused_before_it_is_sent(web: Server, alice: User, batch: bool) -> None:
    path = b"/api/v1/score/batch" if batch else MINT.encode()
    raw = request(b"{", line=b"POST " + path + b" HTTP/1.1", Content_Length=str(2**40).encode(), **signed(alice))
    assert told(web, raw, half_close=False) == 413


def test_requests_behind_one_another_on_one_connection_are_answered_in_order(web: Server, alice: User) -> None:
    first = request(b"", line=b"GET /api/v1/scoreboard/top HTTP/1.1", Content_Length=b"", Content_Type=b"")
    second = request(b"{", **signed(alice))
    third = request(b"", line=b"GET /healthz HTTP/1.1", Content_Length=b"", Connection=b"close")
    with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE) as wire:
        wire.sendall(first + second + third)
        answered = b""
        while data := wire.recv(65536):
            answered += data
    statuses: list[Any] = [int(part[:3]) for part in answered.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 400, 200]
