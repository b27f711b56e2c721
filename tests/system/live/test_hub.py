"""The hub's own life."""

import asyncio
from contextlib import suppress

from leaderboard.live.hub import Hub


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
