"""`/readyz` says whether the site should get traffic, also when PostgreSQL says nothing at all."""

import socket
import subprocess
import sys
from typing import Any, cast

import pytest
from django.db import connection, connections
from django.test import Client
from pytest_django.fixtures import Settings

from api import redis_client, redis_memory
from leaderboard.boards import Board
from tests.support.processes import PATIENCE, ROOT, environment
from tests.support.redis_of_our_own import OwnRedis

pytestmark = pytest.mark.django_db


def test_with_both_servers_it_is_ready(board: Board) -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "postgresql": "ok", "redis": "ok"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_asks_by_any_name_and_by_plain_http(board: Board, settings: Settings, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    client = Client(headers={"host": "10.1.2.3:8101"})
    assert client.get(path).status_code == 200
    assert client.get("/").status_code == 400, "the control"


def test_a_postgresql_that_takes_no_writes_is_said_to_be_read_only(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**connections.settings["default"]["OPTIONS"], "options": "-c default_transaction_read_only=on"}
    monkeypatch.setitem(connections.settings, "default", {**connections.settings["default"], "OPTIONS": options})
    answer = Client().get("/readyz")
    said = {"status": "degraded", "postgresql": "read-only", "redis": "ok"}
    assert (answer.status_code, answer.json()) == (200, said)


def test_a_postgresql_that_hangs_is_none(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes connections, for the kernel does, and never says a word. Kept connections would wait with it."""
    connection.ensure_connection()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {**connections.settings["default"]["OPTIONS"], "connect_timeout": 3}
        changes = {"HOST": "127.0.0.1", "PORT": silent.getsockname()[1], "OPTIONS": options}
        monkeypatch.setitem(connections.settings, "default", {**connections.settings["default"], **changes})
        answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["postgresql"], answer["Retry-After"]) == (503, "unavailable", "2")


@pytest.mark.parametrize(
    ("maxmemory", "policy", "said"),
    [
        ("100mb", "allkeys-random", "keys of boards"),
        ("100mb", "allkeys-lru", "keys of boards"),
        ("100mb", "volatile-ttl", "keys that expire"),
        ("100mb", "noeviction", None),
        ("0", "allkeys-random", None),
    ],
)
def test_a_redis_that_would_evict_is_told_of_by_readyz_and_at_start(
    own_redis: OwnRedis, maxmemory: str, policy: str, said: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    redis = cast(Any, redis_client.connection())
    redis.config_set("maxmemory-policy", policy)
    redis.config_set("maxmemory", maxmemory)
    redis.acl_setuser("default", enabled=True, commands=["-config"])  # as many hosts of Redis have it
    redis_memory.tell()
    assert ("redis_evicts" in caplog.text) == (said is not None)
    answer = Client().get("/readyz")
    warnings = answer.json().get("warnings")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")  # it serves, and a board it loses is rebuilt
    if said is None:
        assert warnings is None
    else:
        assert said in warnings[0]
        assert policy in warnings[0]
        assert "Set maxmemory-policy noeviction" in warnings[0]


def test_of_a_redis_that_does_not_tell_nothing_is_said(own_redis: OwnRedis, caplog: pytest.LogCaptureFixture) -> None:
    redis = cast(Any, redis_client.connection())
    redis.config_set("maxmemory-policy", "allkeys-random")
    redis.config_set("maxmemory", "100mb")
    redis.acl_setuser("default", enabled=True, commands=["-config", "-info"])
    redis_memory.tell()
    assert caplog.text == ""
    assert Client().get("/readyz").json() == {"status": "ok", "postgresql": "ok", "redis": "ok"}
    assert not redis_client.breaker.is_open  # not being allowed to ask is no failure of Redis


def test_a_start_beside_a_redis_that_would_evict_says_so(own_redis: OwnRedis) -> None:
    redis = cast(Any, redis_client.connection())
    redis.config_set("maxmemory-policy", "allkeys-lru")
    redis.config_set("maxmemory", "100mb")
    env = {**environment(), "REDIS_URL": own_redis.url, "LOG_FORMAT": "json"}
    started = subprocess.run(
        [sys.executable, "-c", "import config.wsgi"],
        env=env, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert "Set maxmemory-policy noeviction" in started.stdout + started.stderr
