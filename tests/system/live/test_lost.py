"""A board lost in part, and a Redis that hangs: what viewers and readers of `/top` see never goes back in an epoch."""

import itertools
import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from api import redis_client
from leaderboard import boards, ranking
from leaderboard.boards import Board
from tests.support.agreement import shown, sql_rows
from tests.support.client import TOP
from tests.support.people import give, players
from tests.support.processes import eventually
from tests.support.redis_of_our_own import OwnRedis
from tests.support.spoiling import deleted, halved
from tests.system.live.clients import Watching, viewer, watcher
from tests.system.live.conftest import Start
from tests.system.live.server import NOWHERE, Server


@pytest.fixture
def crowd(own_redis: OwnRedis, board: Board) -> list[User]:
    crowd = players(5)
    for points, user in enumerate(crowd, start=10):
        give(user, points)
    return crowd


@pytest.fixture
def server(crowd: list[User], start: Start) -> Server:
    return start(LEADERBOARD_PUSH_INTERVAL_MS="100")


@pytest.fixture
def everyone(server: Server) -> Iterator[list[Watching]]:
    with viewer(server) as alice, watcher(server) as bob:
        for each in (alice, bob):
            each.opening()
        yield [alice, bob]


def top(server: Server) -> Any:
    return json.loads(server.get(TOP))


def told(everyone: list[Watching], epoch: str | None = None) -> None:
    """All are told the board as SQL has it, in this epoch or in whichever comes next."""
    for each in everyone:
        update = each.until("leaderboard_update")
        while epoch and update["epoch"] != epoch:
            update = each.until("leaderboard_update")
        assert update["top"] == shown(sql_rows())


def test_the_live_process_notices_by_itself_and_tells_its_viewers(server: Server, everyone: list[Watching]) -> None:
    board = boards.get("global")
    epochs = {None, ranking.epoch(board)}
    for key, harm in itertools.product(boards.keys(board).all(), (deleted, halved)):
        harm(key)
        eventually(lambda: ranking.epoch(board) not in epochs, "it is rebuilt")
        epochs.add(ranking.epoch(board))
        told(everyone, ranking.epoch(board))
        eventually(lambda: top(server)["epoch"] == ranking.epoch(board), "/top is of the new epoch")
        assert top(server)["data"] == shown(sql_rows())


def test_after_a_hang_the_old_epoch_serves_again_only_with_what_redis_missed(
    own_redis: OwnRedis, server: Server, everyone: list[Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five players score while it hangs. `/top` has ten lines from SQL, and never five again; no sweep is running."""
    monkeypatch.setattr(
        redis_client.breaker, "seconds", 3600.0
    )  # so that Redis is not even sent what this process writes
    before = top(server)["epoch"]
    own_redis.send(signal.SIGSTOP)
    try:
        for user in players(5):
            give(user, 100)
        eventually(lambda: len(top(server)["data"]) == 10, "SQL serves")
    finally:
        own_redis.send(signal.SIGCONT)
    redis_client.breaker.open_until = 0.0
    while (page := top(server))["epoch"] is None:
        assert page["data"] == shown(sql_rows())
    assert (page["epoch"], page["data"]) == (before, shown(sql_rows()))
    told(everyone)


def test_without_postgresql_what_was_missed_cannot_be_had_and_the_epoch_changes(
    own_redis: OwnRedis, crowd: list[User], start: Start
) -> None:
    server = start(LEADERBOARD_PUSH_INTERVAL_MS="100", DATABASE_URL=NOWHERE)
    before = ranking.epoch(boards.get("global"))
    with viewer(server) as alice, watcher(server) as bob:
        for each in (alice, bob):
            each.opening()
        own_redis.send(signal.SIGSTOP)
        try:
            eventually(lambda: server.metric("scoreboard_live_reads_total", outcome="away") > 0, "noticed")
        finally:
            own_redis.send(signal.SIGCONT)
        redis_client.breaker.open_until = 0.0
        told([alice, bob])
        assert ranking.epoch(boards.get("global")) != before
