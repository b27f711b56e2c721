"""`/readyz` says whether the site should get traffic, also when PostgreSQL says nothing at all."""

import socket

import pytest
from django.db import connection, connections
from django.test import Client

from leaderboard.boards import Board

pytestmark = pytest.mark.django_db


def test_with_both_servers_it_is_ready(board: Board) -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "postgresql": "ok", "redis": "ok"})


def test_a_postgresql_that_hangs_is_none(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes connections, for the kernel does, and never says a word. Kept connections would wait with it."""
    connection.ensure_connection()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {**connections.settings["default"]["OPTIONS"], "connect_timeout": 3}
        changes = {"HOST": "127.0.0.1", "PORT": silent.getsockname()[1], "OPTIONS": options}
        monkeypatch.setitem(connections.settings, "default", {**connections.settings["default"], **changes})
        answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["postgresql"], answer["Retry-After"]) == (503, "unavailable", "2")
