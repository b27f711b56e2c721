"""docs/operations.md, TLS: between browsers and nginx, and between the site and PostgreSQL and RabbitMQ. (Redis has
tests/config/test_managed_redis.py.)"""

import shutil
import socket
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from config import front_door
from leaderboard.boards import Board
from tests.support.processes import PATIENCE, ROOT, eventually, listens, python
from tests.support.programs import needed
from tests.support.rabbitmq import rabbitmq
from tests.support.tls import certificate
from tests.system.crashes.servers import Servers
from tests.system.crashes.site import folder
from tests.system.deploy.nginx import ROLES, Web, nginx
from tests.system.live.server import Server, free_port

pytestmark = pytest.mark.long


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@pytest.mark.django_db(transaction=True)
def test_visitors_come_by_tls_and_are_told_to_do_so(board: Board, settings: Settings, tmp_path: Path) -> None:
    """nginx with its own lines of TLS before a site with HTTPS=1; and what `doctor` says of it as a visitor."""
    authority = certificate(tmp_path)
    with ExitStack() as stack:
        own = {"HTTPS": "1", "TRUSTED_PROXIES": "1", "REDIS_TIMEOUT": "20"}
        web, live = Web(tmp_path / "web.log", **own), Server(tmp_path / "live.log", **own)
        stack.callback(web.close)
        stack.callback(live.close)
        used = iter([free_port(), web.port, free_port(), live.port, free_port()])
        secure = free_port()
        changes = [("# listen 443 ssl", f"listen 127.0.0.1:{secure} ssl"), ("# ssl_", "ssl_")]
        changes += [
            ("/etc/ssl/scoreboard.pem", f"{tmp_path}/server.pem"),
            ("/etc/ssl/scoreboard.key", f"{tmp_path}/server.key"),
        ]
        plain = stack.enter_context(nginx(tmp_path, {standard: next(used) for standard in ROLES}, *changes))
        trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(authority)))
        opener = urllib.request.build_opener(trust, Stay())
        with opener.open(f"https://localhost:{secure}/accounts/sign-in", timeout=PATIENCE) as page:
            assert page.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
            assert "; Secure" in page.headers["Set-Cookie"]
        with pytest.raises(urllib.error.HTTPError) as sent:
            opener.open(f"http://localhost:{plain}/", timeout=PATIENCE)
        with sent.value:
            assert (sent.value.code, sent.value.headers["Location"]) == (301, f"https://localhost:{plain}/")
        settings.SITE_URL, settings.CA_FILE = f"https://localhost:{secure}", str(authority)
        assert [found.id for found in front_door.front_door(None)] == ["doctor.W072"], "it ends tomorrow"
        settings.CA_FILE = ""
        assert [found.id for found in front_door.front_door(None)] == ["doctor.E070"]


def test_postgresql_s_certificate_and_its_name_are_verified() -> None:
    """By the machine's PostgreSQL: the embedded one is built without TLS."""
    needed("pg_ctlcluster", "postgresql")
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    with folder() as home, ExitStack() as stack:
        account = Servers(home).postgres.account
        keys, data, port = home / "keys", home / "data", free_port()
        for made in (keys, data):
            made.mkdir(mode=0o700)
        shutil.copy(certificate(keys), home / "ca.pem")
        (keys / "server.key").chmod(0o600)
        for owned in (keys, data):
            account.own(owned)
        initdb = [str(binaries / "initdb"), "--pgdata", str(data), "--username", "scoreboard", "--auth", "trust"]
        subprocess.run(
            [*initdb, "--encoding=UTF8", "--locale=C.UTF-8"], check=True, capture_output=True, **account.options
        )
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "ssl": "on"}
        options |= {"ssl_cert_file": keys / "server.pem", "ssl_key_file": keys / "server.key"}
        command = [str(binaries / "postgres"), "-D", str(data)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        log = stack.enter_context((home / "tls.log").open("wb"))
        process = subprocess.Popen(command, stdout=log, stderr=log, **account.options)
        stack.callback(process.wait, PATIENCE)
        stack.callback(process.terminate)
        eventually(lambda: process.poll() is not None or listens(port), "PostgreSQL listens")
        address = f"postgres://scoreboard@{{}}:{port}/postgres?sslmode=verify-full&sslrootcert={{}}"
        ask = "from django.db import connection; c = connection.cursor();"
        ask += "c.execute('SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()'); print(c.fetchone())"

        def asked(host: str, root: Path) -> "subprocess.CompletedProcess[str]":
            return python(ask, DATABASE_URL=address.format(host, root))

        told = asked("localhost", home / "ca.pem")
        assert told.stdout == "(True, 'TLSv1.3')\n", told.stderr + (home / "tls.log").read_text()
        assert 'does not match host name "127.0.0.1"' in asked("127.0.0.1", home / "ca.pem").stderr
        other = home / "other"
        other.mkdir()
        assert "SSL error: " in (refused := asked("localhost", certificate(other)).stderr), refused


@pytest.fixture
def broker() -> Iterator[tuple[int, Path]]:
    """(port of TLS, the authority's certificate) of a RabbitMQ of its own that takes nothing else."""
    with tempfile.TemporaryDirectory() as name:
        home, port = Path(name), free_port()
        # Not localhost: kombu asks 127.0.0.1 in its place.
        authority = certificate(home, socket.gethostname())
        lines = (
            "listeners.tcp = none",
            f"listeners.ssl.default = {port}",
            f"ssl_options.cacertfile = {authority}",
            f"ssl_options.certfile = {home}/server.pem",
            f"ssl_options.keyfile = {home}/server.key",
            "ssl_options.versions.1 = tlsv1.3",
        )
        with rabbitmq(home, port, *lines):
            yield port, authority


@pytest.mark.django_db
def test_rabbitmq_s_certificate_and_its_name_are_verified(broker: tuple[int, Path], tmp_path: Path) -> None:
    port, authority = broker
    ask = """
from config.celery import app
with app.connection_for_write() as connection:
    connection.ensure_connection(max_retries=1, interval_start=0)
    print(connection.connection.transport.sock.version())
"""

    def asked(host: str, root: Path) -> "subprocess.CompletedProcess[str]":
        return python(ask, CELERY_BROKER_URL=f"amqps://guest:guest@{host}:{port}//", CA_FILE=str(root))

    told = asked(socket.gethostname(), authority)
    assert told.stdout == "TLSv1.3\n", told.stderr
    assert "CERTIFICATE_VERIFY_FAILED" in asked("127.0.0.1", authority).stderr
    assert "CERTIFICATE_VERIFY_FAILED" in asked(socket.gethostname(), certificate(tmp_path)).stderr


def test_the_unit_of_systemd_is_one(tmp_path: Path) -> None:
    program = needed("systemd-analyze", "systemd")
    text = (ROOT / "deploy" / "systemd" / "scoreboard@.service").read_text()
    for name in ("web-8101", "live-8201", "worker", "beat"):
        (tmp_path / f"scoreboard@{name}.service").write_text(text.replace("/opt/scoreboard", str(ROOT)))
    units = sorted(str(path) for path in tmp_path.glob("*.service"))
    done = subprocess.run([program, "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if str(tmp_path) in line]) == (0, [])
