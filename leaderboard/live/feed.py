"""One board as this process pushes it: the newest snapshot, its viewers, and the throttle between the two."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog
from django.conf import settings

from leaderboard import rebuild
from leaderboard.boards import Board
from leaderboard.live import messages, metrics
from leaderboard.live.packets import Packet
from leaderboard.live.personal import Personal
from leaderboard.ranking import Lost, Page, Unavailable

if TYPE_CHECKING:
    from leaderboard.live.hub import Hub
    from leaderboard.live.viewers import Key, Viewer

log = structlog.get_logger(__name__)

REREAD_SECONDS = 3.0  # Pub/Sub may lose an announcement; this is how long that can go unnoticed
RETRY_SECONDS = 0.5  # between attempts while Redis is away or the board is being rebuilt
PING_SECONDS = 15
SLICE = 500  # viewers written to before the loop may do something else


class Snapshot:
    """The visible top at one (epoch, seq), encoded once for each limit in use."""

    def __init__(self, board: Board, page: Page) -> None:
        self.board = board
        self.page = page
        self.key: Key = (page.epoch or "", page.seq or 0)
        self._packets: dict[int, Packet] = {}

    def packet(self, limit: int) -> Packet:
        packet = self._packets.get(limit)
        if packet is None:
            metrics.ENCODES.inc()
            packet = self._packets[limit] = messages.update(self.board.slug, self.page, limit)
        return packet


class Feed:
    """Leading and trailing edge: an announcement is read at once, or as soon as the last push is an interval old."""

    def __init__(self, hub: Hub, board: Board) -> None:
        self.hub = hub
        self.board = board
        self.snapshot: Snapshot | None = None
        self.viewers: set[Viewer] = set()
        self.personal = Personal(self)
        self._buckets: list[set[Viewer]] = [set() for _ in range(PING_SECONDS)]
        self._dirty = asyncio.Event()
        self._interval = settings.LEADERBOARD_PUSH_INTERVAL_MS / 1000
        self._pushed_at = 0.0  # time.monotonic()
        self._away = False
        self._rebuild_at = 0.0  # time.monotonic() before which no further rebuild is started
        self._adopted = False  # the board is known to belong to the Redis it is read from

    @property
    def page(self) -> Page | None:
        return self.snapshot.page if self.snapshot else None

    # --- viewers ---

    def join(self, viewer: Viewer) -> None:
        """Counts the viewer in: from the next push on it is shown the board."""
        self.viewers.add(viewer)
        viewer.bucket = self.hub.seconds % PING_SECONDS  # whose turn was last, and is again in 15 s
        self._buckets[viewer.bucket].add(viewer)
        metrics.CONNECTIONS.labels(viewer.transport).inc()

    def leave(self, viewer: Viewer) -> None:
        if viewer in self.viewers:
            self.viewers.remove(viewer)
            self._buckets[viewer.bucket].discard(viewer)
            self.personal.forget(viewer)
            metrics.CONNECTIONS.labels(viewer.transport).dec()

    def ping(self, second: int) -> None:
        """Pings a fifteenth of the viewers: all of them at once would be a burst for nothing."""
        bucket = self._buckets[second % PING_SECONDS]
        if bucket:
            packet = messages.ping(self.page)
            for viewer in tuple(bucket):
                if not viewer.wire.blocked:
                    viewer.wire.write(packet)

    # --- the board ---

    def announced(self, epoch: str, seq: int) -> None:
        """Something says that the board is now at this (epoch, seq)."""
        known = self.snapshot
        if known is None or known.key[0] != epoch or known.key[1] < seq:
            self._dirty.set()

    def acknowledged(self, key: Key) -> None:
        """A viewer says it has this; how long that took is known for the newest one."""
        if self.snapshot is not None and self.snapshot.key == key:
            metrics.ACKNOWLEDGED.observe(time.monotonic() - self._pushed_at)

    def touch(self) -> None:
        """Announcements may have been missed, and this may be another Redis: have the board read soon."""
        self._adopted = False
        self._dirty.set()

    async def run(self) -> None:
        """Reads and pushes for as long as the process lives."""
        patience = 0.0
        while True:
            try:
                async with asyncio.timeout(patience):
                    await self._dirty.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(self._pushed_at + self._interval - time.monotonic())
            # Cleared before reading: what is announced from here on may not be in the answer.
            self._dirty.clear()
            try:
                patience = REREAD_SECONDS if await self.refresh() else RETRY_SECONDS
            except Exception:
                # A defect, met on what one board holds: the next look may not meet it, and other boards go on.
                log.exception("live_push_failed", board=self.board.slug)
                patience = REREAD_SECONDS

    async def refresh(self) -> bool:
        """Reads the board and pushes it if it changed; returns whether Redis had it."""
        try:
            page = await self.read()
        except Unavailable as error:
            self._adopted = False
            self._missing("away", error=str(error))
            return False
        except Lost:
            self._missing("lost")
            self._rebuild()
            return False
        metrics.READS.labels("read").inc()
        if self._away:
            self._away = False
            log.info("live_board_back", board=self.board.slug, epoch=page.epoch)
        snapshot = Snapshot(self.board, page)
        if self.snapshot is None or self.snapshot.key != snapshot.key:
            await self._push(snapshot)
        return True

    async def read(self) -> Page:
        """The board as Redis has it, never older than what is known of its epoch. Raises Unavailable, Lost."""
        source = self.hub.source
        epoch, seq = self.snapshot.key if self.snapshot else ("", 0)
        if not self._adopted:
            self._adopted = True  # before asking: a reconnection meanwhile must ask again
            await source.adopt(self.board)
        page = await source.top(self.board)
        if page.epoch != epoch:
            await source.adopt(self.board)  # a rebuilt board does not know yet where it is
        elif (page.seq or 0) < seq:
            await source.adopt(self.board, gone_back=epoch)
            page = await source.top(self.board)
        return page

    def _rebuild(self) -> None:
        """Not at every look: an attempt that failed would only fail again, and say so in the log."""
        if time.monotonic() >= self._rebuild_at:
            self._rebuild_at = time.monotonic() + REREAD_SECONDS
            rebuild.in_background(self.board)

    def _missing(self, outcome: str, **details: str) -> None:
        """Viewers keep what they have: it was true, and nothing newer is known."""
        metrics.READS.labels(outcome).inc()
        if not self._away:
            self._away = True
            log.warning("live_board_missing", board=self.board.slug, outcome=outcome, **details)

    async def _push(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._pushed_at = time.monotonic()
        metrics.PUSHES.labels(self.board.slug).inc()
        await self.broadcast()
        self.personal.wake()

    async def broadcast(self) -> None:
        """Shows everyone the newest snapshot. Whoever joins meanwhile has been shown it already."""
        for part in slices(self.viewers):
            for viewer in part:
                viewer.show()
            await asyncio.sleep(0)


def slices(viewers: Iterable[Viewer]) -> Iterable[tuple[Viewer, ...]]:
    everyone = tuple(viewers)
    for start in range(0, len(everyone), SLICE):
        yield everyone[start : start + SLICE]
