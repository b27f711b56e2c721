"""The hub: what a live process does once, whatever the number of its viewers."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import structlog
from django.conf import settings
from django.db import close_old_connections, connection

from api.problems import Problem
from leaderboard import boards
from leaderboard.boards import Board
from leaderboard.live import headcount, messages, metrics, refusals
from leaderboard.live.capacity import Capacity
from leaderboard.live.feed import Feed, slices
from leaderboard.live.groups import Groups
from leaderboard.live.messages import Packet
from leaderboard.live.refusals import Refused
from leaderboard.live.requests import LiveRequest
from leaderboard.live.viewer import Viewer
from leaderboard.ranking.asynchronous import AsyncRanking

log = structlog.get_logger(__name__)

STOP_SECONDS = 1.0  # for its tasks to end, and for Redis to hear that we leave
FAREWELL_SECONDS = 3.0  # for viewers to take the goodbye; then they are cut
GRACE_SECONDS = 1.0  # between telling a stalled viewer that it was too slow and cutting it

Watched = tuple[str, str | None]  # slug, and the period that was asked for


class Hub:
    """Belongs to one event loop.

    `feeds`: the boards that are watched, each with its newest snapshot and its viewers, by slug and the period that was
    asked for; without one a feed goes on to the next period when the current one ends.
    """

    def __init__(self) -> None:
        self.ranking = AsyncRanking()
        self.groups = Groups(self.received, self.touch)
        self.feeds: dict[Watched, Feed] = {}
        self.capacity = Capacity()
        self.closing = False
        self.looked = asyncio.Event()  # whether SQL was asked which boards there are
        self._tasks: list[asyncio.Task[None]] = []
        self._tasks_of: dict[Watched, list[asyncio.Task[None]]] = {}
        self._sql = ThreadPoolExecutor(max_workers=1, thread_name_prefix="boards")
        self._looking: Future[None] | None = None

    # --- what the groups bring ---

    def received(self, message: dict[str, Any]) -> None:
        """Hands a group's message on inside. Raises KeyError, TypeError for one that is not as it should be."""
        for feed in self.feeds.values():
            match message["type"]:
                case "board.changed" if message["board"] == feed.board.name:
                    feed.announced(message["epoch"], message["seq"], **details(message))
                case "standing.changed" if message["player"] in feed.own_lines.players:
                    feed.own_lines.wake()
                case "player.placed" if message["player"] in feed.own_lines.players:
                    feed.own_lines.tell(message["player"], placed(message))

    def touch(self) -> None:
        """Announcements may have been missed."""
        for feed in self.feeds.values():
            feed.touch()

    # --- what is watched ---

    def feed(self, board: Board, period: str | None = None) -> Feed:
        """Of this board, which is the one asked for by its slug and this period. It is read from here on."""
        watched = (board.slug, period)
        feed = self.feeds.get(watched)
        if feed is None:
            feed = self.feeds[watched] = Feed(board, self.ranking, self.groups.follow, self.groups.unfollow)
            self.groups.follow(boards.group(board))
            self._tasks_of[watched] = [
                self._spawn(feed.run(), f"feed {board.slug}"),
                self._spawn(feed.own_lines.run(), f"own lines {board.slug}"),
            ]
        return feed

    def drop(self, watched: Watched) -> None:
        """No viewer has it any more."""
        feed = self.feeds.pop(watched)
        self.groups.unfollow(boards.group(feed.board))
        for task in self._tasks_of.pop(watched):
            task.cancel()
            self._tasks.remove(task)

    async def asked_for(self, request: LiveRequest) -> tuple[Board, str | None, int]:
        """As `LiveRequest.query`. A board that is not known may have been made a moment ago: SQL is asked once more."""
        try:
            return request.query()
        except Problem as problem:
            if problem.kind != "not-found":
                raise
        await self._look()
        return request.query()

    async def _look(self) -> None:
        """Asks SQL which boards there are; once for all who ask before it begins to."""
        if self._looking is None or self._looking.running() or self._looking.done():
            self._looking = self._sql.submit(look)
        await asyncio.shield(asyncio.wrap_future(self._looking))
        self.looked.set()

    async def _follow_periods(self) -> None:
        """Once a second: what boards there are, and which period is the current one."""
        while True:
            await self._look()
            for watched, feed in list(self.feeds.items()):
                slug, period = watched
                board = boards.find(slug, period)
                if board is not None:
                    self._follow_period(feed, board)
                elif not boards.listing().known(feed.board):
                    self._gone(feed)
                if not feed.viewers and feed.board is not boards.GLOBAL and feed.idle():
                    self.drop(watched)
            await asyncio.sleep(1)

    def _follow_period(self, feed: Feed, board: Board) -> None:
        """`board`: the one that the feed's viewers have asked for, as it is now; the feed stays while it is counted."""
        if board.id != feed.board.id and board.ready:
            self.groups.unfollow(boards.group(feed.board))
            self.groups.follow(boards.group(board))
            feed.move(board)
        elif board.id == feed.board.id and board != feed.board:
            feed.learn(board)
        self._show_out(feed, board.visibility)

    def _show_out(self, feed: Feed, visibility: str) -> None:
        """Of a board that became hidden everybody; of one that became one for the signed-in, who is not."""
        match visibility:
            case boards.Visibility.HIDDEN:
                self._gone(feed)
            case boards.Visibility.SIGNED_IN:
                strangers = [viewer for viewer in feed.viewers if viewer.user_id is None]
                self._end(feed, strangers, refusals.not_authenticated("Sign in to see this board.", "no-credentials"))

    def _gone(self, feed: Feed) -> None:
        """The board was deleted, is paused or hidden, or its period was closed."""
        gone = Refused(refusals.BAD_REQUEST, "not-found", "This board is not shown any more.")
        rule, ends_at = boards.rule(feed.board.slug), feed.board.ends_at
        over = ends_at is not None and ends_at <= boards.listing().now
        if over and rule and not rule.paused and rule.visibility != boards.Visibility.HIDDEN:
            gone = Refused(refusals.BAD_REQUEST, "not-found", "This period is over: there is nothing more to watch.")
            feed.end(boards.find(feed.board.slug))
        self._end(feed, tuple(feed.viewers), gone)

    def _end(self, feed: Feed, viewers: Iterable[Viewer], why: Refused) -> None:
        packet = messages.error(why.code, why.detail)
        for viewer in viewers:
            viewer.reply(packet)
            feed.leave(viewer)
            viewer.transport.close(why.close_code, why.code)

    # --- life ---

    def start(self) -> None:
        self._spawn(self.groups.run(), "groups")
        self._spawn(self._tick(), "tick")
        self._spawn(self._count(), "headcount")
        self._spawn(self._follow_periods(), "periods")
        self.feed(boards.GLOBAL)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"hub {name}")
        task.add_done_callback(self._ended)
        self._tasks.append(task)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """None of them should end by itself. A hub without one of them would lie: better another process than that."""
        if not task.cancelled():
            log.critical("live_hub_broken", task=task.get_name(), exc_info=task.exception())
            os.kill(os.getpid(), signal.SIGTERM)  # in order: viewers are told to come back

    async def stop(self) -> None:
        """Ends its tasks; at most twice STOP_SECONDS, whatever Redis does."""
        left, deadline = set(self._tasks), time.monotonic() + STOP_SECONDS
        while left and time.monotonic() < deadline:
            # Once is not enough: Python 3.11's `asyncio.wait_for`, with which redis-py sends, swallows a cancellation
            # that comes in the moment in which it is done.
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=STOP_SECONDS / 4)
        if left:
            log.warning("live_hub_hangs", tasks=sorted(task.get_name() for task in left))
        left_sql = self._sql.submit(leave)
        self._sql.shutdown(wait=False)
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(STOP_SECONDS):
                await self.ranking.close()
                await asyncio.shield(asyncio.wrap_future(left_sql))  # it ends, however long the look before it takes

    def viewers(self) -> list[Viewer]:
        return [viewer for feed in self.feeds.values() for viewer in feed.viewers]

    async def farewell(self) -> None:
        """Tells everyone to come back later, to another process, and closes; at most FAREWELL_SECONDS."""
        self.closing = True
        for part in slices(self.viewers()):
            for viewer in part:
                if viewer.transport.blocked:
                    viewer.transport.abort()
                else:
                    viewer.transport.write(messages.bye())
                    viewer.transport.close(refusals.CLOSING_DOWN, "shutting down")
            await asyncio.sleep(0)
        deadline = time.monotonic() + FAREWELL_SECONDS
        while (left := self.viewers()) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        for viewer in left:
            viewer.transport.abort()

    # --- once a second ---

    async def _tick(self) -> None:
        started, second = time.monotonic(), 0
        while True:
            second += 1
            await asyncio.sleep(started + second - time.monotonic())
            for feed in tuple(self.feeds.values()):
                feed.ping(second)
                self._evict(feed)
            metrics.BLOCKED.set(sum(viewer.transport.blocked for viewer in self.viewers()))
            metrics.TASKS.set(len(asyncio.all_tasks()))

    async def _count(self) -> None:
        """Apart from the tick: Redis may keep it waiting."""
        while True:
            await headcount.say(self.ranking.redis, len(self.viewers()))
            await asyncio.sleep(headcount.SAY_SECONDS)

    def _evict(self, feed: Feed) -> None:
        """Closes those that accepted no byte for too long. A close frame would wait behind what they do not read."""
        now = time.monotonic()
        for viewer in tuple(feed.viewers):
            if viewer.stalled_for(now) >= settings.LEADERBOARD_EVICT_SECONDS:
                metrics.EVICTIONS.labels(viewer.kind).inc()
                log.info("live_viewer_evicted", transport=viewer.kind, bytes_waiting=viewer.waiting)
                feed.leave(viewer)
                viewer.transport.close(refusals.TOO_SLOW, "too slow")
                asyncio.get_running_loop().call_later(GRACE_SECONDS, viewer.transport.abort)


def leave() -> None:
    """Its thread's connection ends."""
    connection.close()


def look() -> None:
    """In a thread of its own: nothing in the event loop waits for PostgreSQL."""
    close_old_connections()
    boards.refresh(at_once=True)


def placed(message: dict[str, Any]) -> Packet:
    """What a closed period gave a player, whichever board the player's pages show."""
    return messages.notice("placed", message["board"], message["period"], message["text"], rank=message["rank"])


def details(message: dict[str, Any]) -> dict[str, Any]:
    """When and in which trace the board changed; a process of the version before says neither."""
    return {"at": float(message.get("at", 0)), "trace": str(message.get("trace", ""))}


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
