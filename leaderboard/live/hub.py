"""The hub: what a live process does once, whatever the number of its viewers."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog
from django.conf import settings
from redis.exceptions import RedisError

from leaderboard import boards
from leaderboard.live import messages, metrics
from leaderboard.live.admission import Admission
from leaderboard.live.feed import Feed, slices
from leaderboard.live.groups import Groups
from leaderboard.live.source import Source
from leaderboard.live.subscription import Subscription
from leaderboard.live.viewers import Viewer

log = structlog.get_logger(__name__)

STOP_SECONDS = 1.0  # for Redis to hear that we leave
FAREWELL_SECONDS = 3.0  # for viewers to take the goodbye; then they are cut
GRACE_SECONDS = 1.0  # between telling a stalled viewer that it was too slow and cutting it


class Hub:
    """Belongs to one event loop. `feeds` by board slug; `blocked`: the viewers that accept no bytes right now."""

    def __init__(self) -> None:
        self.blocked: set[Viewer] = set()
        self.source = Source()
        self.groups = Groups(self)
        self.feeds = {board.slug: Feed(self, board) for board in boards.BOARDS.values()}
        self.admission = Admission()
        self.closing = False
        self.seconds = 0  # ticks so far
        self._subscription = Subscription(self.source.redis, self.announced, self.renewed)
        self._tasks: list[asyncio.Task[None]] = []

    # --- announcements ---

    def announced(self, board: str, epoch: str, seq: int) -> None:
        feed = self.feeds.get(board)
        if feed is not None:
            feed.announced(epoch, seq)

    def renewed(self) -> None:
        """Announcements may have been missed."""
        for feed in self.feeds.values():
            feed.touch()

    # --- life ---

    def start(self) -> None:
        self._spawn(self._subscription.run(), "subscription")
        self._spawn(self.groups.run(), "groups")
        self._spawn(self._tick(), "tick")
        for slug, feed in self.feeds.items():
            self._spawn(feed.run(), f"feed {slug}")
            self._spawn(feed.personal.run(), f"personal {slug}")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=f"hub {name}")
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """None of them should end by itself. A hub without one of them would lie: better another process than that."""
        if not task.cancelled():
            log.critical("live_hub_broken", task=task.get_name(), exc_info=task.exception())
            os.kill(os.getpid(), signal.SIGTERM)  # in order: viewers are told to come back

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError, RedisError, OSError):
            async with asyncio.timeout(STOP_SECONDS):
                await self.groups.close()
                await self.source.close()

    def viewers(self) -> list[Viewer]:
        return [viewer for feed in self.feeds.values() for viewer in feed.viewers]

    async def farewell(self) -> None:
        """Tells everyone to come back later, to another process, and closes; at most FAREWELL_SECONDS."""
        self.closing = True
        for part in slices(self.viewers()):
            for viewer in part:
                if viewer.wire.blocked:
                    viewer.wire.abort()
                else:
                    viewer.wire.write(messages.bye())
                    viewer.wire.close(messages.CLOSING_DOWN, "shutting down")
            await asyncio.sleep(0)
        deadline = time.monotonic() + FAREWELL_SECONDS
        while (left := self.viewers()) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        for viewer in left:
            viewer.wire.abort()

    # --- once a second ---

    async def _tick(self) -> None:
        started = time.monotonic()
        while True:
            await asyncio.sleep(started + self.seconds + 1 - time.monotonic())
            self.seconds += 1
            for feed in self.feeds.values():
                feed.ping(self.seconds)
            self._evict(tuple(self.blocked))
            metrics.BLOCKED.set(len(self.blocked))
            metrics.TASKS.set(len(asyncio.all_tasks()))

    def _evict(self, blocked: Iterable[Viewer]) -> None:
        """Closes those that accepted no byte for too long. A close frame would wait behind what they do not read."""
        now = time.monotonic()
        for viewer in blocked:
            if viewer.stalled_for(now) >= settings.LEADERBOARD_EVICT_SECONDS:
                metrics.EVICTIONS.labels(viewer.transport).inc()
                log.info("live_viewer_evicted", transport=viewer.transport, bytes_waiting=viewer.waiting)
                viewer.leave()
                viewer.wire.close(messages.TOO_SLOW, "too slow")
                asyncio.get_running_loop().call_later(GRACE_SECONDS, viewer.wire.abort)


_hub: Hub | None = None
_loop: asyncio.AbstractEventLoop | None = None


def hub() -> Hub:
    """The hub of the running event loop, started at its first use."""
    global _hub, _loop
    running = asyncio.get_running_loop()
    if _hub is None or _loop is not running:
        _hub, _loop = Hub(), running
        _hub.start()
    return _hub


async def stop() -> None:
    """Ends the hub of this process, if there is one."""
    global _hub
    if _hub is not None:
        ending, _hub = _hub, None
        with contextlib.suppress(asyncio.CancelledError):
            await ending.stop()
