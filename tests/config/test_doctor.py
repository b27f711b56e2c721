"""`manage.py doctor`: it finds what was planted, goes on whatever it finds, and has nothing to say of a sound site."""

import json
import shutil
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer, ThreadingTCPServer
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import pytest
from celery import current_app
from django.conf import settings as configured
from django.contrib.auth.hashers import make_password
from django.contrib.staticfiles import finders
from django.core.checks import CheckMessage
from django.db import connection
from pytest_django.fixtures import Settings

from accounts.models import User
from api import redis_client
from config import front_door, installation_checks, server_checks
from config.management.commands import doctor
from devsite.players import people
from leaderboard import boards, rebuild, tasks
from leaderboard.boards import Board
from tests.support.processes import PATIENCE, ROOT, environment, eventually
from tests.support.rabbitmq import rabbitmq
from tests.support.redis_of_our_own import OwnRedis
from tests.support.tls import certificate
from tests.support.worker import Worker
from tests.system.crashes.clocks import PYTHON_CLOCK
from tests.system.live.server import free_port

pytestmark = pytest.mark.django_db(transaction=True)

SOUND = {
    "ADMIN_OTP": "1",
    "ALLOWED_HOSTS": "scores.example.org",
    "DEBUG": "0",
    "HTTPS": "1",
    "TRUSTED_PROXIES": "1",
}
ILL = {
    "SECRET_KEY": ("topsecret", "scoreboard.E002"),
    "LIMIT_ACTIONS": ("many", "scoreboard.E006"),
    "DEBUG": ("1", "doctor.E060"),
    "HTTPS": ("0", "doctor.E061"),
    "ALLOWED_HOSTS": ("*", "doctor.W063"),
    "ADMIN_OTP": ("0", "doctor.I064"),
}
PLANTED_IN_SERVERS = {
    "doctor.E003",  # PostgreSQL takes no writes
    "doctor.E004",  # it may lose what it acknowledged
    "doctor.E005",  # a migration is pending
    "doctor.E006",  # another is of a newer version
    "doctor.E007",  # the role may not write a table
    "doctor.W011",  # Redis evicts
    "doctor.E012",  # it is a replica
    "doctor.E014",  # the clock of PostgreSQL
    "doctor.E015",  # the clock of Redis
    "doctor.E021",  # no worker
    "doctor.E022",  # no beat
    "doctor.W040",  # mails without links
    "doctor.W041",  # mails that are not sent
    "doctor.W043",  # no admin who may do everything
    "doctor.E050",  # the demo's passwords
}


def ask(*options: str, **changes: str) -> tuple[int, str]:
    command = [sys.executable, "manage.py", "doctor", *options]
    env = {**environment(), "REDIS_TIMEOUT": "20", **changes}
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def ids(found: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in found]


@contextmanager
def serving(server: TCPServer) -> Iterator[int]:
    """Its port."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield cast(tuple[str, int], server.server_address)[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class MailServer(StreamRequestHandler):
    """Says of everything that it is well."""

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 well\r\n")


def test_of_a_sound_site_it_says_nothing(board: Board, tmp_path: Path) -> None:
    User.objects.create(username="root", email="root@example.org", is_staff=True, is_superuser=True)
    worker = Worker(tmp_path / "worker.log", REDIS_KEY_PREFIX=configured.REDIS_KEY_PREFIX)
    listens = f"{configured.REDIS_KEY_PREFIX}*pidbox*"  # through the broker, to who asks it whether it is there
    eventually(lambda: any(redis_client.connection().scan_iter(listens, count=1000)), "the worker listens")
    with serving(ThreadingTCPServer(("127.0.0.1", 0), MailServer)) as port:

        def told() -> tuple[int, str] | None:
            tasks.sweep()  # as beat would have it
            answer = ask("--json", EMAIL_URL=f"smtp://127.0.0.1:{port}", **SOUND)
            return None if "doctor.E021" in answer[1] else answer

        code, said = eventually(told, "the worker has started")
    worker.close()
    assert json.loads(said) == {"findings": [], "not_examined": []}
    assert code == 0


@contextmanager
def ill_database() -> Iterator[str]:
    """The address by which a role without some rights finds a database of another version that keeps nothing."""
    name, role = connection.settings_dict["NAME"], f"ill_{uuid.uuid4().hex[:8]}"
    plant = [
        f"CREATE ROLE {role} LOGIN",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
        f"REVOKE INSERT ON api_keys FROM {role}",
        f"ALTER ROLE {role} IN DATABASE {name} SET synchronous_commit = off",
        f"ALTER ROLE {role} IN DATABASE {name} SET default_transaction_read_only = on",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('scoreboard', '0999_of_tomorrow', now())",
        "UPDATE django_migrations SET name = 'x' || name WHERE app = 'integrity' AND name = '0002_functions'",
    ]
    mend = [
        "DELETE FROM django_migrations WHERE name = '0999_of_tomorrow'",
        "UPDATE django_migrations SET name = '0002_functions' WHERE name = 'x0002_functions'",
        f"DROP OWNED BY {role}",
        f"DROP ROLE {role}",
    ]
    with connection.cursor() as cursor:
        for statement in plant:
            cursor.execute(statement)
        try:
            url = urlsplit(environment()["DATABASE_URL"])
            yield urlunsplit(url._replace(netloc=f"{role}@{url.netloc.rpartition('@')[2]}"))
        finally:
            for statement in mend:
                cursor.execute(statement)


def test_of_an_ill_one_it_finds_every_fault_in_one_go(own_redis: OwnRedis, tmp_path: Path) -> None:
    rebuild.rebuild(boards.get("global"))
    redis = cast(Any, redis_client.connection())
    redis.config_set("maxmemory-policy", "allkeys-lru")
    redis.config_set("maxmemory", "100mb")
    redis.hset(boards.keys(boards.get("global")).meta, "swept_at", time.time() - 3600)
    redis.replicaof("127.0.0.1", 9)
    admin = next(account for account in people.ACCOUNTS if account.username == "admin")
    User.objects.create(
        id=people.user_id("admin"), username="admin", email="a@demo.invalid", password=make_password(admin.password)
    )
    (tmp_path / "clock").write_text("3600")
    clock = {"PYTHONPATH": f"{PYTHON_CLOCK}:{ROOT}", "TEST_CLOCK": str(tmp_path / "clock")}
    broker = configured.CELERY_BROKER_URL  # that of this run, to which no worker of this test listens
    settings = {name: value for name, (value, _) in ILL.items()}
    with ill_database() as url:
        code, said = ask(
            "--json", DATABASE_URL=url, REDIS_URL=own_redis.url, CELERY_BROKER_URL=broker, **settings, **clock
        )
    told = json.loads(said)
    assert code == 1
    findings = {finding["id"]: finding for finding in told["findings"]}
    assert {identifier for _, identifier in ILL.values()} - set(findings) == set()
    assert PLANTED_IN_SERVERS - set(findings) == set()
    assert "api_keys" in findings["doctor.E007"]["says"]
    assert " s behind this machine's" in findings["doctor.E014"]["says"]
    assert "admin" in findings["doctor.E050"]["says"]
    assert all(finding["remedy"] for finding in told["findings"] if finding["id"].startswith("doctor."))
    assert "topsecret" not in said


def test_with_both_servers_away_it_says_so_and_what_it_could_not_look_at() -> None:
    nowhere = {"DATABASE_URL": "postgres://x@127.0.0.1:9/x", "REDIS_URL": "redis://127.0.0.1:9/0"}
    code, said = ask(**{**SOUND, **nowhere})
    assert code == 1
    for sentence in (
        "PostgreSQL does not answer: ",
        "Redis does not answer ",
        "The broker does not answer: ",
        "What needs PostgreSQL was not examined.",
        "What needs Redis was not examined.",
    ):
        assert sentence in said


def test_addresses_that_are_none_are_said_with_all_the_rest() -> None:
    code, said = ask("--json", **SOUND, REDIS_URL="foo", CELERY_BROKER_URL="mq://x")
    named = [finding["id"] for finding in json.loads(said)["findings"]]
    assert (code, named.count("scoreboard.E034")) == (1, 2)
    assert "doctor.E002" in named


def test_a_question_that_a_server_refuses_is_a_finding() -> None:
    def refused(**_: Any) -> list[CheckMessage]:
        connection.cursor().execute("SELECT * FROM pg_authid_of_another")
        return []

    [found] = doctor.ask(refused, None)
    assert (found.id, "pg_authid_of_another" in str(found.msg)) == ("doctor.E000", True)
    assert ("LINE 1" in str(found.msg), found.hint) == (False, "manage.py migrate")


def test_whatever_a_check_meets_the_others_are_asked() -> None:
    def stumbles(**_: Any) -> list[CheckMessage]:
        raise KeyError("No such transport")

    [found] = doctor.ask(stumbles, None)
    assert (found.id, "No such transport" in str(found.msg)) == ("doctor.E000", True)


def test_a_broker_that_refuses_our_password_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    with rabbitmq(tmp_path, port, f"listeners.tcp.1 = 127.0.0.1:{port}"):
        monkeypatch.setitem(current_app.conf, "broker_write_url", f"amqp://guest:rotated@127.0.0.1:{port}//")
        [found] = installation_checks.worker(None)
    assert (found.id, "ACCESS_REFUSED" in str(found.msg)) == ("doctor.E020", True)


def test_a_redis_whose_memory_is_full(own_redis: OwnRedis) -> None:
    redis = cast(Any, redis_client.connection())
    redis.config_set("maxmemory", 1)
    [found] = server_checks.redis(None)
    assert (found.id, "maxmemory" in str(found.msg)) == ("doctor.E016", True)


# --- what cannot be planted from outside a process ---


def test_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installation_checks.files(None) == []
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(total=2**40, free=100 * 2**20))
    [found] = installation_checks.files(None)
    assert (found.id, "100 MiB left" in str(found.msg)) == ("doctor.E032", True)


def test_an_image_without_static_files(settings: Settings) -> None:
    settings.STATICFILES_DIRS = []
    cast(Any, finders.get_finder).cache_clear()
    try:
        assert ids(installation_checks.files(None)) == ["doctor.E030"]
    finally:
        cast(Any, finders.get_finder).cache_clear()


def test_a_mail_server_that_is_none(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_URL, settings.EMAIL_HOST, settings.EMAIL_PORT = "smtp://127.0.0.1:9", "127.0.0.1", 9
    assert ids(installation_checks.mail(None)) == ["doctor.E042"]


def test_https_behind_a_proxy_that_is_not_trusted(settings: Settings) -> None:
    settings.HTTPS, settings.TRUSTED_PROXIES, settings.ADMIN_OTP = True, 0, True
    assert "doctor.E062" in ids(installation_checks.entrance(None))


def test_a_server_with_no_connections_left(monkeypatch: pytest.MonkeyPatch) -> None:
    assert server_checks.connections_left(None) == []
    monkeypatch.setattr(server_checks, "CONNECTIONS_SHARE", 0.0)
    assert ids(server_checks.connections_left(None)) == ["doctor.W008"]


# --- as a visitor ---


def site(answer: Callable[[BaseHTTPRequestHandler], None]) -> ThreadingHTTPServer:
    class Front(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing to say."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Front)


def redirects_to_itself(request: BaseHTTPRequestHandler) -> None:
    request.send_response(301)
    request.send_header("Location", f"http://{request.headers['Host']}{request.path}")
    request.end_headers()


def knows_no_websockets(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200 if request.path == "/" else 404)
    request.end_headers()


def knows_no_such_host(request: BaseHTTPRequestHandler) -> None:
    request.send_response(400)
    request.end_headers()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (redirects_to_itself, "doctor.E073"),
        (knows_no_such_host, "doctor.E074"),
        (knows_no_websockets, "doctor.E075"),
    ],
)
def test_a_proxy_that_is_set_up_wrong(
    settings: Settings, answer: Callable[[BaseHTTPRequestHandler], None], expected: str
) -> None:
    with serving(site(answer)) as port:
        settings.SITE_URL = f"http://127.0.0.1:{port}"
        assert ids(front_door.front_door(None)) == [expected]


def test_a_name_that_leads_nowhere(settings: Settings) -> None:
    settings.SITE_URL = "https://127.0.0.1:9"
    assert ids(front_door.front_door(None)) == ["doctor.E071"]


def takes_all(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200 if request.path == "/" else 101)
    request.end_headers()


@pytest.mark.parametrize("signed_by", ["public", "private"])
def test_a_private_authority_takes_no_trust_from_the_others(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signed_by: str
) -> None:
    authorities = {}
    for name in ("public", "private"):
        (tmp_path / name).mkdir()
        authorities[name] = certificate(tmp_path / name, authority_name=f"A {name} authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities["public"]))
    settings.CA_FILE = str(authorities["private"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / signed_by / "server.pem", tmp_path / signed_by / "server.key")
    server = site(takes_all)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server) as port:
        settings.SITE_URL = f"https://localhost:{port}"
        assert ids(front_door.front_door(None)) == ["doctor.W072"]  # it ends tomorrow
