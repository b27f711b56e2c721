"""A Redis of a provider: over TLS, whose certificate every part of the site verifies, for a user with few rights."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from accounts.models import User
from api import redis_client
from leaderboard import boards, rebuild
from scoreboard.models import UserScore
from tests.config.starts import start
from tests.support.client import UPDATE
from tests.support.processes import ROOT, eventually, python, running
from tests.support.programs import needed
from tests.support.queued import PREFER
from tests.support.redis_of_our_own import OwnRedis
from tests.support.tls import certificate
from tests.support.wire import Client
from tests.support.worker import Worker
from tests.system.deploy.nginx import Web
from tests.system.live.clients import viewer
from tests.system.live.server import Server, free_port

pytestmark = pytest.mark.django_db

# Each part of the site that has connections of its own.
ASK = """
import asyncio, traceback
from celery import current_app
from channels.layers import get_channel_layer
from api import redis_client
from leaderboard.ranking.asynchronous import AsyncRanking

async def asynchronous():
    return await AsyncRanking().redis.ping()

async def channel_layer():
    await get_channel_layer().group_send("board.global", {"type": "x"})
    return True

def broker():
    with current_app.connection_for_write(transport_options={"max_retries": 0, "socket_timeout": 20}) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)
        return connection.default_channel.client.ping()

for name, ask in {
    "requests": lambda: redis_client.connection().ping(),
    "live": lambda: asyncio.run(asynchronous()),
    "channel layer": lambda: asyncio.run(channel_layer()),
    "broker": broker,
}.items():
    try:
        print(f"{name}: {ask()}")
    except Exception as error:
        whole = "".join(traceback.format_exception(error))
        print(f"{name}: refused" if "CERTIFICATE_VERIFY_FAILED" in whole else f"{name}: {error!r}")
"""
PARTS = ("requests", "live", "channel layer", "broker")


@pytest.fixture(scope="module")
def encrypted() -> Iterator[tuple[str, str]]:
    """(URL of a Redis over TLS, its authority's certificate)"""
    program = needed("redis-server", "redis-server")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        authority, port = certificate(folder), free_port()
        files = {"ca-cert": "ca.pem", "cert": "server.pem", "key": "server.key"}
        command = [program, "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", "--save", ""]
        for option, name in files.items():
            command += [f"--tls-{option}-file", str(folder / name)]
        log = folder / "log"
        stack.enter_context(running(command, {}, log))
        eventually(lambda: "Ready to accept connections" in log.read_text(), "Redis is up")
        yield f"rediss://localhost:{port}/0", str(authority)


def said(**changes: str) -> list[str]:
    done = python(ASK, REDIS_TIMEOUT="20", **changes)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.partition(":")[0] in PARTS]


def test_a_certificate_is_verified_by_every_part_of_the_site(encrypted: tuple[str, str]) -> None:
    url, authority = encrypted
    assert said(REDIS_URL=url, CA_FILE=authority) == [f"{part}: True" for part in PARTS]
    assert said(REDIS_URL=url) == [f"{part}: refused" for part in PARTS]


@pytest.mark.long
def test_a_certificate_of_another_host_is_none(encrypted: tuple[str, str]) -> None:
    url, authority = encrypted
    by_number = url.replace("localhost", "127.0.0.1")
    assert said(REDIS_URL=by_number, CA_FILE=authority) == [f"{part}: refused" for part in PARTS]


def test_the_start_says_that_a_certificate_is_refused(encrypted: tuple[str, str]) -> None:
    code, output = start("web", {"REDIS_URL": encrypted[0], "REDIS_TIMEOUT": "20"})
    assert code != 0
    assert "CA_FILE" in output
    code, output = start("web", {"CA_FILE": "/nothing"})
    assert "CA_FILE, /nothing, has no certificates" in output


RIGHTS = re.search(r"ACL SETUSER scoreboard (.*)", (ROOT / "docs" / "operations.md").read_text())
WITHOUT = {
    "INFO": ("+info", ""),
    "SUBSCRIBE": ("&PREFIX*", "&other*"),
    "GET": ("~PREFIX*", "~other*"),
    "EVALSHA": ("+info", "+info -@scripting"),
}


def limited(redis: OwnRedis, rights: str) -> str:
    """The address of `redis` for a user with these rights."""
    rules = rights.replace("PREFIX", settings.REDIS_KEY_PREFIX).replace("PASSWORD", "horse").split()
    client: Any = redis_client.connection()
    client.execute_command("ACL", "SETUSER", "scoreboard", "reset", *rules)
    client.execute_command("ACL", "LOG", "RESET")
    return redis.url.replace("unix://", "unix://scoreboard:horse@")


def rights() -> str:
    assert RIGHTS, "docs/operations.md says which rights are needed"
    return RIGHTS[1]


@pytest.mark.parametrize(
    "missing", [pytest.param(name, marks=[] if name == "SUBSCRIBE" else [pytest.mark.long]) for name in WITHOUT]
)
def test_the_start_names_what_the_user_may_not_do(own_redis: OwnRedis, missing: str) -> None:
    url = limited(own_redis, rights().replace(*WITHOUT[missing]))
    code, output = start("web", {"REDIS_URL": url, "REDIS_TIMEOUT": "20"})
    assert code != 0
    assert re.search(rf"Redis denies the user of REDIS_URL [A-Z, ]*{missing}", output)


def test_the_start_says_that_the_password_is_wrong(own_redis: OwnRedis) -> None:
    url = limited(own_redis, rights())
    code, output = start("web", {"REDIS_URL": url.replace("horse", "donkey"), "REDIS_TIMEOUT": "20"})
    assert code != 0
    assert "Redis refuses the user or the password of REDIS_URL" in output
    assert "donkey" not in output


def test_a_user_with_the_documented_rights_is_denied_nothing(
    transactional_db: None, own_redis: OwnRedis, redis_of_its_own: None, alice: User, tmp_path: Path
) -> None:
    """A score, a viewer's push, a reconcile and queued work; Redis notes each command that it denies."""
    assert rebuild.rebuild(boards.get("global"))
    environment = {"REDIS_URL": limited(own_redis, rights()), "REDIS_KEY_PREFIX": settings.REDIS_KEY_PREFIX}
    environment |= {"REDIS_TIMEOUT": "20", "CELERY_BROKER_URL": "", "CELERY_REMOTE_CONTROL": "false"}
    with ExitStack() as stack:
        web, live = Web(tmp_path / "web.log", **environment), Server(tmp_path / "live.log", **environment)
        worker = Worker(tmp_path / "worker.log", **environment)
        for process in (web, live, worker):
            stack.callback(process.close)
        client, watching = stack.enter_context(Client(web)), stack.enter_context(viewer(live))
        assert client.act(alice)["rank"] == 1
        watching.scores({"alice": 50})
        repaired = python(RECONCILE, **environment)
        assert repaired.returncode == 0, repaired.stderr
        assert client.ask("POST", UPDATE, alice, client.mint(alice), **PREFER)[0] == 202
        eventually(lambda: UserScore.objects.get(user=alice).total == 100, "the worker has done it")
        watching.scores({"alice": 100})
        administrator: Any = redis_client.connection()
        assert administrator.execute_command("ACL", "LOG") == []


RECONCILE = "from django.core.management import call_command; call_command('reconcile_leaderboard')"
