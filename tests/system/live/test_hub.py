"""The hub's own life."""

import asyncio
import threading
from contextlib import suppress

import pytest
from django.db import connections

from leaderboard import boards
from leaderboard.boards import Board
from leaderboard.live import hub as live
from leaderboard.live.consumers import LiveConsumer
from leaderboard.live.hub import Hub
from leaderboard.live.requests import LiveRequest
from tests.support.boards import make
from tests.support.processes import PATIENCE, eventually
from tests.support.transport import SlowTransport
from tests.system.live.top import run_with_hub


def test_a_task_that_swallows_its_cancellation_does_not_hold_up_the_end() -> None:
    """As `asyncio.wait_for` of Python 3.11 may make one do."""

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def run() -> None:
        hub = Hub()
        hub.start()
        hub._spawn(stubborn(), "stubborn")
        await asyncio.sleep(0)
        await hub.stop()
        assert all(task.done() for task in hub._tasks)

    asyncio.run(run())


def test_the_connection_for_looks_is_closed_however_long_the_last_one_takes(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STOP_SECONDS", 0.05)
    looking, go, kept = threading.Event(), threading.Event(), []

    def look() -> None:
        connections["default"].ensure_connection()
        kept.append(connections["default"])
        looking.set()
        go.wait(PATIENCE)

    async def run() -> None:
        hub = Hub()
        hub._sql.submit(look)
        assert looking.wait(PATIENCE)
        await hub.stop()

    try:
        asyncio.run(run())
        assert kept[0].connection is not None
    finally:
        go.set()
    eventually(lambda: kept[0].connection is None, "the connection is closed")


def test_who_is_known_only_after_the_board_was_dropped_watches_it_all_the_same(board: Board) -> None:
    make("daily", window="daily")

    async def run() -> None:
        consumer = LiveConsumer()
        scope = {"headers": [], "type": "websocket"}
        consumer.scope, consumer.transport = scope, SlowTransport()
        consumer.enter(LiveRequest(scope), boards.get("daily"), None, 10)
        live.hub().drop(("daily", None))  # nobody has watched it for long
        consumer.show()
        [viewer] = live.hub().feeds["daily", None].viewers
        assert viewer is consumer.viewer
        consumer.leave()
        assert live.hub().viewers() == []

    run_with_hub(run())
