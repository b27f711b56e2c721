"""A Redis of a provider: over TLS, whose certificate is looked at by every part of the site, and as a user with few rights."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.processes import eventually, python, running
from tests.support.programs import needed
from tests.support.tls import certificate
from tests.system.live.server import free_port

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


def test_a_certificate_of_another_host_is_none(encrypted: tuple[str, str]) -> None:
    url, authority = encrypted
    assert said(REDIS_URL=url.replace("localhost", "127.0.0.1"), CA_FILE=authority) == [f"{part}: refused" for part in PARTS]
