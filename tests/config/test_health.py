"""`/readyz` says whether the site should get traffic, also when PostgreSQL says nothing at all."""

import socket

import pytest
from django.db import connection, connections
from django.test import Client
from pytest_django.fixtures import Settings

from leaderboard.boards import Board

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
