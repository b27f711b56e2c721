"""What the site's port holds against, over raw connections to a process of it."""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from api import wsgi_adapter
from api.wsgi_adapter import MAX_BODY, THREADS, WsgiAdapter
from leaderboard.live import http_protocol
from leaderboard.live.http_protocol import SiteHttp
from tests.support.processes import PATIENCE
from tests.system.live.server import NOWHERE, Server

GET = b"GET /api/v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /api/v1/nothing HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("site") / "log", DATABASE_URL=NOWHERE, LIMIT_IP="off")
    yield server
    server.close()
    assert "Traceback" not in server.log.read_text()


class Client:
    """One connection."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by small name, body."""
        head = ""
        while not head.endswith("\r\n\r\n"):
            line = self.file.readline()
            assert line, f"the connection ended in the answer's head: {head!r}"
            head += line.decode()
        headers = dict(re.findall(r"^([^:\r]+): ?([^\r]*)\r$", head.lower(), re.MULTILINE))
        return int(head.split()[1]), headers, self.file.read(int(headers.get("content-length", 0)))

    def ended(self) -> bool:
        return self.file.read(1) == b""


def test_requests_that_are_not_complete_hold_no_thread(server: Server) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(Client(server)) for _ in range(3 * THREADS)]
        for number, client in enumerate(slow):
            client.send(GET[:-2] if number % 2 else POST + b"Content-Length: 10\r\n\r\n123456789")
        with Client(server) as other:
            other.send(GET)
            assert other.answer()[0] == 404
        slow[0].send(b"0")
        slow[1].send(GET[-2:])
        assert {client.answer()[0] for client in slow[:2]} == {404}


def test_idle_connections_hold_nothing(server: Server) -> None:
    """128 of them stopped Granian's workers for everybody."""
    with ExitStack() as stack:
        idle = [stack.enter_context(Client(server)) for _ in range(200)]
        for client in idle:
            client.send(GET)
        assert {client.answer()[0] for client in idle} == {404}
        with Client(server) as other:
            other.send(GET)
            assert other.answer()[0] == 404
        idle[0].send(GET)
        assert idle[0].answer()[0] == 404


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1),
        b"Content-Length: 100000000\r\n\r\n" + b"x" * 500_000,
        b"Content-Length: 99999999999999999\r\n\r\n",
        b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (MAX_BODY + 1),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % MAX_BODY + b"x" * MAX_BODY + b"\r\n1\r\nx\r\n",
    ],
)
def test_a_body_larger_than_any_call_takes_is_refused_unread(server: Server, framed: bytes) -> None:
    with Client(server) as client:
        client.send(POST + b"X-Request-ID: mine-12345\r\n" + framed)
        status, headers, body = client.answer()
        said = json.loads(body)
        assert (status, said["type"], said["request_id"]) == (413, "/problems/payload-too-large", "mine-12345")
        assert (headers["content-type"], headers["connection"]) == ("application/problem+json", "close")
        assert headers["x-request-id"] == "mine-12345"
        client.socket.shutdown(socket.SHUT_WR)
        assert client.ended()


def test_the_largest_body_is_taken_however_it_is_framed(server: Server) -> None:
    with Client(server) as client:
        client.send(POST + b"Content-Length: %d\r\n\r\n" % MAX_BODY + b"x" * MAX_BODY)
        assert client.answer()[0] == 404
    with Client(server) as client:
        client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + GET)
        assert [client.answer()[0], client.answer()[0]] == [404, 404]


def test_answers_come_in_the_order_of_the_requests(server: Server) -> None:
    ids = [f"request-{number}" for number in range(20)]
    with Client(server) as client:
        client.send(b"".join(GET[:-2] + f"X-Request-ID: {one}\r\n\r\n".encode() for one in ids))
        assert [client.answer()[1]["x-request-id"] for _ in ids] == ids


def test_who_waits_to_be_told_to_send_the_body_is_told(server: Server) -> None:
    with Client(server) as client:
        client.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert client.answer()[0] == 100
        client.send(b"ab")
        assert client.answer()[0] == 404


def test_a_half_closed_client_still_gets_its_answer(server: Server) -> None:
    with Client(server) as client:
        client.send(GET)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer()[0] == 404
        assert client.ended()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", 400),
        (GET[:-2] + b"X: " + b"x" * 40_000, 431),
        (GET[:-2] + b"X: x\r\n" * 8_000, 431),
    ],
)
def test_what_is_no_request_is_refused_and_ends_the_connection(server: Server, sent: bytes, status: int) -> None:
    with Client(server) as client:
        client.send(sent)
        got, headers, body = client.answer()
        assert (got, headers["content-type"]) == (status, "application/problem+json")
        assert json.loads(body)["request_id"] == headers["x-request-id"]
        with suppress(ConnectionResetError):
            assert client.ended()


@pytest.mark.parametrize(
    ("proxies", "spoofed"),
    [
        ("0", b"X-Forwarded-For: 203.0.113.%d\r\n"),
        ("1", b"X-Forwarded-For: 192.0.2.7\r\nX_Forwarded_For: 203.0.113.%d\r\n"),  # beside the proxy's own word
    ],
)
def test_a_client_cannot_say_where_it_comes_from(tmp_path: Path, proxies: str, spoofed: bytes) -> None:
    server = Server(tmp_path / "log", DATABASE_URL=NOWHERE, LIMIT_IP="3/minute", TRUSTED_PROXIES=proxies)
    try:
        statuses = []
        for number in range(5):
            with Client(server) as client:
                client.send(b"GET /api/v1/scoreboard/top HTTP/1.1\r\nHost: localhost\r\n" + spoofed % number + b"\r\n")
                statuses.append(client.answer()[0])
        assert statuses[3:] == [429, 429]
    finally:
        server.close()


def test_leaving_lets_an_answer_end_and_takes_nobody_new(tmp_path: Path) -> None:
    """The answer waits for a database that takes a connection and says nothing, for as long as connecting may take."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nothing = f"postgres://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing"
        server = Server(tmp_path / "log", DATABASE_URL=nothing, LIMIT_IP="off")
        with Client(server) as busy, Client(server) as idle:
            busy.send(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            connection, _ = silent.accept()
            with connection:
                server.process.terminate()
                assert idle.ended()
                with pytest.raises(OSError, match="refused"):
                    Client(server)
                assert busy.answer()[0] == 503
        assert server.process.wait(PATIENCE) is not None
        server.close()


# --- time, with the allowances shortened -------------------------------------------------------------


def answers_much(environ: dict[str, Any], start_response: Any) -> Any:
    """A WSGI application whose answer does not fit into the buffers on its way."""
    length = 1 if environ["PATH_INFO"] == "/small" else 2**24
    start_response("200 OK", [("Content-Length", str(length))])

    class Body(list[bytes]):
        def close(self) -> None:
            """Nothing to close."""

    return Body([b"x" * length])


@pytest.mark.parametrize(
    ("module", "allowance", "sent"),
    [
        (http_protocol, "HEAD_SECONDS", b""),
        (http_protocol, "HEAD_SECONDS", GET[:-2]),
        (http_protocol, "HEAD_SECONDS", b"GET /small HTTP/1.1\r\nHost: a\r\n\r\nGET /"),
        (http_protocol, "BODY_SECONDS", POST + b"Content-Length: 10\r\n\r\n12345"),
        (http_protocol, "STALL_SECONDS", GET),
        (wsgi_adapter, "LINGER_SECONDS", POST + b"Content-Length: 10000000\r\n\r\n"),
    ],
)
def test_a_client_that_does_not_go_on_is_cut(
    monkeypatch: pytest.MonkeyPatch, module: Any, allowance: str, sent: bytes
) -> None:
    for other in ("HEAD_SECONDS", "BODY_SECONDS", "STALL_SECONDS"):
        monkeypatch.setattr(http_protocol, other, 3600.0)
    monkeypatch.setattr(module, allowance, 0.1)

    async def until_cut() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            WsgiAdapter(answers_much), http=SiteHttp, lifespan="off", log_config=None, timeout_keep_alive=3600
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE):
            while not server.started:
                await asyncio.sleep(0.01)
            with socket.socket() as client:
                client.setblocking(False)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                await loop.sock_connect(client, listener.getsockname())
                while not server.server_state.connections:
                    await asyncio.sleep(0.01)
                await loop.sock_sendall(client, sent)
                while server.server_state.connections:
                    await asyncio.sleep(0.01)
        server.should_exit = True
        await serving

    asyncio.run(until_cut())
