"""One board as this process pushes it: the newest snapshot, its viewers, and the throttle between the two."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog
from django.conf import settings

from api import tracing
from leaderboard import catch_up, rebuild, snapshots
from leaderboard.boards import Board
from leaderboard.live import messages, metrics
from leaderboard.live.messages import EncodedPage, Key, Packet
from leaderboard.live.own_lines import OwnLines
from leaderboard.live.viewer import Viewer
from leaderboard.ranking import Lost, Page, Unavailable
from leaderboard.ranking.asynchronous import AsyncRanking

log = structlog.get_logger(__name__)

REREAD_SECONDS = 3.0  # Pub/Sub may lose an announcement; this is how long that can go unnoticed
RETRY_SECONDS = 0.5  # between attempts while Redis is away or the board is being rebuilt
PING_SECONDS = 15
IDLE_SECONDS = 30.0  # a board goes on being read after its last viewer left: who reloads a page comes back
SLICE = 500  # viewers written to before the loop may do something else


@dataclass(slots=True)
class Announced:
    """What waits for the next push: since when, in Unix seconds (0: nothing is known to), and the traces of it."""

    at: float = 0.0
    traces: list[str] = field(default_factory=list)

    def add(self, at: float, trace: str) -> None:
        self.at = min(self.at, at) if self.at and at else self.at or at
        if trace and len(self.traces) <= tracing.LINKS:
            self.traces.append(trace)


class Feed:
    """Leading and trailing edge: an announcement is read at once, or as soon as the last push is an interval old.

    `snapshot` is the newest there is, and stays while Redis is `away`: at the last look it did not have the board.
    """

    def __init__(
        self, board: Board, ranking: AsyncRanking, follow: Callable[[str], None], unfollow: Callable[[str], None]
    ) -> None:
        self.board = board
        self.snapshot: EncodedPage | None = None
        self.away = False
        self.viewers: set[Viewer] = set()
        self.own_lines = OwnLines(board, ranking, follow, unfollow)
        self._ranking = ranking
        self._buckets: list[set[Viewer]] = [set() for _ in range(PING_SECONDS)]
        self._turn = 0  # the bucket that was pinged last
        self._dirty = asyncio.Event()
        self._announced = Announced()
        self._interval = settings.LEADERBOARD_PUSH_INTERVAL_MS / 1000
        self._pushed_at = 0.0  # time.monotonic()
        self._watched_at = time.monotonic()  # when the last viewer left
        self._rebuild_at = 0.0  # time.monotonic() before which no further rebuild is started
        self._adopted = False  # the board is known to belong to the Redis it is read from

    @property
    def page(self) -> Page | None:
        return self.snapshot.page if self.snapshot else None

    # --- viewers ---

    def join(self, viewer: Viewer) -> None:
        """Counts the viewer in: from the next push on it is shown the board."""
        viewer.latest = self.snapshot
        self.viewers.add(viewer)
        viewer.bucket = self._turn  # is pinged again in 15 s
        self._buckets[viewer.bucket].add(viewer)
        metrics.CONNECTIONS.labels(viewer.kind).inc()

    def leave(self, viewer: Viewer) -> None:
        """Forgets the viewer; harmless when repeated."""
        viewer.transport.detach()
        self.own_lines.forget(viewer)  # also of one who left before, and of whom the answer to who it is came later
        if viewer in self.viewers:
            self.viewers.remove(viewer)
            self._watched_at = time.monotonic()
            self._buckets[viewer.bucket].discard(viewer)
            metrics.CONNECTIONS.labels(viewer.kind).dec()

    def idle(self) -> bool:
        """Whether it has had no viewer for IDLE_SECONDS."""
        return not self.viewers and time.monotonic() - self._watched_at > IDLE_SECONDS

    def ping(self, second: int) -> None:
        """Pings a fifteenth of the viewers: all of them at once would be a burst for nothing."""
        self._turn = second % PING_SECONDS
        packets: dict[int, Packet] = {}
        for viewer in tuple(self._buckets[self._turn]):
            if not viewer.transport.blocked:
                packet = packets.get(viewer.limit)
                if packet is None:
                    packet = packets[viewer.limit] = messages.ping(self.snapshot, viewer.limit)
                viewer.transport.write(packet)

    def acknowledged(self, key: Key | None) -> None:
        """A viewer says it has this; how long that took is known for the newest one."""
        if self.snapshot is not None and self.snapshot.key == key:
            metrics.ACKNOWLEDGED.observe(time.monotonic() - self._pushed_at)

    # --- the board ---

    def move(self, board: Board) -> None:
        """The period is over, or its rule is another: viewers are told, and shown what there is now from here on.

        Of that nothing is known yet: who comes before it is read, or takes bytes only then, is not shown the former.
        """
        before, self.board = self.board, board
        self.snapshot = None
        for viewer in self.viewers:
            viewer.latest = None
        if board.period != before.period:
            detail = f"This period has ended; {board.period} has begun."
            self._tell("closed", before, detail, next=board.period)
        self._tell_of_freeze(before)
        self.own_lines.move(board)
        self.touch()

    def end(self, following: Board | None) -> None:
        """The period that is watched alone, or the last one, is over."""
        self._tell(
            "closed",
            self.board,
            "This period has ended; its final ranks are kept.",
            next=following.period if following else None,
        )

    def learn(self, board: Board) -> None:
        """The same period, of which something else is said now. That it is frozen, or no longer, viewers are told."""
        before, self.board = self.board, board
        self.own_lines.move(board)
        self._tell_of_freeze(before)
        if self.snapshot is not None:
            self.snapshot = EncodedPage(board, self.snapshot.page, self.snapshot)
            for viewer in self.viewers:
                viewer.latest = self.snapshot  # a blocked one must not be told the former later

    def _tell_of_freeze(self, before: Board) -> None:
        if before.period == self.board.period and before.frozen_at and not self.board.frozen_at:
            self._tell("revealed", self.board, "The board is shown as it is.")
        elif self.board.frozen_at and before.frozen_at != self.board.frozen_at:
            at = self.board.frozen_at.isoformat()
            self._tell("frozen", self.board, "What happens now is shown later.", frozen_at=at)

    def _tell(self, code: str, board: Board, detail: str, **more: str | None) -> None:
        packet = messages.notice(code, board.slug, board.period, detail, **more)
        for viewer in tuple(self.viewers):
            viewer.reply(packet)

    def announced(self, epoch: str, seq: int, at: float = 0.0, trace: str = "") -> None:
        """Something says that the board is now at this (epoch, seq). `at`: Unix seconds, right after the commit."""
        known = self.snapshot
        if known is None or known.key[0] != epoch or known.key[1] < seq:
            self._announced.add(at, trace)
            self._dirty.set()

    def touch(self) -> None:
        """Announcements may have been missed, and this may be another Redis: have the board read soon."""
        self._adopted = False
        self._dirty.set()

    async def run(self) -> None:
        """Reads and pushes for as long as the process lives."""
        wait = 0.0
        while True:
            try:
                async with asyncio.timeout(wait):
                    await self._dirty.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(self._pushed_at + self._interval - time.monotonic())
            # Cleared before reading: what is announced from here on may not be in the answer.
            self._dirty.clear()
            announced, self._announced = self._announced, Announced()
            try:
                with tracing.joined("push", announced.traces, board=self.board.slug, viewers=len(self.viewers)):
                    had = await self.refresh(announced)
                wait = REREAD_SECONDS if had else RETRY_SECONDS
                if not had:
                    self._announced.add(announced.at, "")  # it goes on waiting
            except Exception:
                # A defect, met on what one board holds: the next look may not meet it, and other boards go on.
                log.exception("live_push_failed", board=self.board.slug)
                wait = REREAD_SECONDS

    async def refresh(self, announced: Announced) -> bool:
        """Reads the board and pushes it if it changed; returns whether Redis had it."""
        asked = self.board
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
        if self.board.id != asked.id:
            return True  # it has moved on meanwhile, and is to be read again
        metrics.READS.labels("read").inc()
        snapshots.put(self.board, page)
        if self.away:
            self.away = False
            log.info("live_board_back", board=self.board.slug, epoch=page.epoch)
        snapshot = EncodedPage(self.board, page, self.snapshot)
        if self.snapshot is None or self.snapshot.key != snapshot.key:
            await self._push(snapshot)
            if announced.at:
                metrics.UPDATE_LATENCY.observe(max(0.0, time.time() - announced.at) * 1000)
        else:
            self.snapshot.recount(page)
        return True

    async def read(self) -> Page:
        """The board as Redis has it, never older than what is known of its epoch. Raises Unavailable, Lost."""
        catch_up.demand()
        epoch, seq = self.snapshot.key if self.snapshot else ("", 0)
        if not self._adopted:
            self._adopted = True  # before asking: a reconnection meanwhile must ask again
            await self._ranking.adopt(self.board)
        page = await self._ranking.top(self.board)
        if page.epoch != epoch:
            await self._ranking.adopt(self.board)  # a rebuilt board does not know yet where it is
        elif (page.seq or 0) < seq:
            await self._ranking.adopt(self.board, gone_back=epoch)
            page = await self._ranking.top(self.board)
        catch_up.demand()  # SQL may have shown readers a newer one while this was on its way
        return page

    def _rebuild(self) -> None:
        """Not at every look: an attempt that failed would only fail again, and say so in the log."""
        if time.monotonic() >= self._rebuild_at:
            self._rebuild_at = time.monotonic() + REREAD_SECONDS
            rebuild.in_background(self.board)

    def _missing(self, outcome: str, **details: str) -> None:
        """Viewers keep what they have: it was true, and nothing newer is known."""
        metrics.READS.labels(outcome).inc()
        if not self.away:
            self.away = True
            log.warning("live_board_missing", board=self.board.slug, outcome=outcome, **details)

    async def _push(self, snapshot: EncodedPage) -> None:
        """Shows it to everyone for whom it changes a row. One who joins meanwhile has been shown it already."""
        self.snapshot = snapshot
        self._pushed_at = time.monotonic()
        metrics.PUSHES.labels(self.board.slug).inc()
        for part in slices(self.viewers):
            if self.snapshot is None:
                break  # the board has moved on meanwhile
            for viewer in part:
                viewer.show(self.snapshot)
            await asyncio.sleep(0)
        metrics.PUSH_SECONDS.observe(time.monotonic() - self._pushed_at)
        self.own_lines.wake()


def slices(viewers: Iterable[Viewer]) -> Iterable[tuple[Viewer, ...]]:
    everyone = tuple(viewers)
    for start in range(0, len(everyone), SLICE):
        yield everyone[start : start + SLICE]
