"""What deploy/nginx.conf promises by itself: many workers, a flood, TLS."""

import json
import os
import socket
import ssl
import threading
from collections import Counter
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from leaderboard.boards import Board
from tests.support.processes import PATIENCE
from tests.support.procfile import procfile
from tests.support.tls import certificate
from tests.system.deploy.nginx import ROLES, Web, nginx
from tests.system.live.server import free_port

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 600
WORKERS = 16


class ProcfileWeb(Web):
    """With the Procfile's own number of threads and slots."""

    def arguments(self) -> tuple[str, ...]:
        words = (
            procfile()["web"]
            .replace('"${PORT:-8101}"', str(self.port))
            .replace('"${BIND:-127.0.0.1}"', "127.0.0.1")
            .split()
        )
        return tuple(words[1:])


def burst(port: int) -> Counter[int]:
    """The statuses of AT_ONCE requests that are all sent before the first answer is read."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)) for _ in range(AT_ONCE)]
        for one in sockets:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return Counter(int(one.recv(4096).split(b" ", 2)[1]) for one in sockets)


@pytest.mark.long
def test_many_workers_of_nginx_do_not_take_the_slots_of_web(board: Board, tmp_path: Path) -> None:
    """More requests at once than slots, twice: what the first left open must not be in the way of the second."""
    with ExitStack() as stack:
        webs = [ProcfileWeb(tmp_path / f"web-{n}.log") for n in range(2)]
        for web in webs:
            stack.callback(web.close)
        used = iter([free_port(), *(web.port for web in webs), free_port(), free_port()])
        ports = {standard: next(used) for standard in ROLES}
        changes = (("worker_processes auto", f"worker_processes {WORKERS}"), ("limit_req zone=", "# "))
        door = stack.enter_context(nginx(tmp_path, ports, *changes))
        assert [burst(door), burst(door)] == [{200: AT_ONCE}] * 2


class Back(BaseHTTPRequestHandler):
    """Stands where `web` would."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


def test_after_an_outage_of_all_the_first_request_is_answered(tmp_path: Path) -> None:
    ports = {standard: free_port() for standard in ROLES}
    with nginx(tmp_path, ports) as door:

        def status() -> int:
            with closing(HTTPConnection("127.0.0.1", door, timeout=PATIENCE)) as connection:
                connection.request("GET", "/")
                return connection.getresponse().status

        workers = 2 * (os.cpu_count() or 1)
        assert {status() for _ in range(20 * workers)} == {503}, "each worker of nginx has seen it"
        with ThreadingHTTPServer(("127.0.0.1", ports["8102"]), Back) as back:
            threading.Thread(target=back.serve_forever).start()
            answered = [status() for _ in range(20 * workers)]
            back.shutdown()
    assert set(answered) == {200}


def test_one_address_that_floods_is_told_so_in_the_words_of_the_api(tmp_path: Path) -> None:
    ports = {standard: free_port() for standard in ROLES}
    with (
        nginx(tmp_path, ports, ("rate=100r/s", "rate=1r/m"), ("burst=1000", "burst=2")) as door,
        closing(HTTPConnection("127.0.0.1", door, timeout=PATIENCE)) as connection,
    ):
        statuses = []
        for _ in range(4):
            connection.request("GET", "/")
            answer = connection.getresponse()
            document = json.loads(answer.read())
            statuses.append(answer.status)
    assert statuses == [503, 503, 503, 429], "nothing is behind this nginx"
    assert (document["type"], answer.headers["Retry-After"]) == ("/problems/rate-limited", "10")
    assert document["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("version", "spoken"), [(ssl.TLSVersion.TLSv1_3, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")]
)
def test_its_tls_lines_work_as_they_stand(tmp_path: Path, version: ssl.TLSVersion, spoken: str) -> None:
    authority = certificate(tmp_path)
    ports = {standard: free_port() for standard in ROLES}
    port = free_port()
    changes = [("# listen 443 ssl", f"listen 127.0.0.1:{port} ssl"), ("# ssl_", "ssl_")]
    changes += [
        ("/etc/ssl/scoreboard.pem", f"{tmp_path}/server.pem"),
        ("/etc/ssl/scoreboard.key", f"{tmp_path}/server.key"),
    ]
    context = ssl.create_default_context(cafile=str(authority))
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    with (
        nginx(tmp_path, ports, *changes),
        socket.create_connection(("127.0.0.1", port), PATIENCE) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as encrypted,
    ):
        assert (encrypted.version(), encrypted.selected_alpn_protocol()) == (spoken, "h2")
