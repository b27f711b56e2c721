"""A short-lived copy of each board's visible top in this process: thousands of readers, one Redis read a second.

Fresh for FRESH_SECONDS; after that one thread refreshes while the others are served the old copy
(stale-while-revalidate); older than STALE_SECONDS it is not shown any more and readers wait for the one refresh.
No thundering herd at any age.
"""

import json
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.db import InterfaceError, OperationalError

from leaderboard import boards, reads, tiers
from leaderboard.boards import Board
from leaderboard.metrics import CACHE_READS
from leaderboard.ranking import LateCorrection, Page, Row

FRESH_SECONDS = 1.0
STALE_SECONDS = 5.0
FROM_MEMORY = CACHE_READS.labels("memory")  # looking the label up costs as much as the rest of a read


@dataclass(slots=True)
class Snapshot:
    """The visible top at one (epoch, seq), and its answers, each encoded once."""

    board: Board
    page: Page
    taken: float  # time.monotonic()
    bodies: dict[tuple[int, int], bytes] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        """Tells apart, too, what is said of the board, and its tiers: these change without a change of its rows."""
        said = tag(self.board) if self.board.id else ""
        return f'"{self.page.epoch}:{self.page.seq}{said}{tiers.tag(self.board.tiers, self.page.players)}"'

    def body(self, limit: int, offset: int) -> bytes:
        """The encoded answer for a slice inside the visible top."""
        wanted = (limit, offset)
        encoded = self.bodies.get(wanted)
        if encoded is None:
            encoded = encode_page(self.board, self.page, self.page.rows[offset : offset + limit])
            self.bodies[wanted] = encoded
        return encoded


class Snapshots:
    """The copy of one board, and the lock that lets one thread at a time refresh it."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.current: Snapshot | None = None
        self.refreshing = threading.Lock()

    def get(self) -> Snapshot:
        """A snapshot at most STALE_SECONDS old. Raises OperationalError when Redis and PostgreSQL are both away."""
        current = self.current
        age = time.monotonic() - current.taken if current else float("inf")
        if current and age < FRESH_SECONDS:
            FROM_MEMORY.inc()
            return current
        if current and age < STALE_SECONDS:
            if not self.refreshing.acquire(blocking=False):
                FROM_MEMORY.inc()
                return current
        else:
            self.refreshing.acquire()
        try:
            latest = self.current
            if latest is not current and latest and time.monotonic() - latest.taken < FRESH_SECONDS:
                return latest  # the thread that held the lock before has just refreshed it
            page, meanwhile = reads.top(self.board, boards.VISIBLE_TOP), self.current
            if meanwhile is not None and meanwhile is not latest and behind(page, meanwhile.page):
                return meanwhile  # the hub's, of a moment after this one was read
            self.current = Snapshot(self.board, page, time.monotonic())
            return self.current
        except (OperationalError, InterfaceError):
            if current and age < STALE_SECONDS:
                return current  # nothing newer is to be had, and the others are served this, too
            raise
        finally:
            self.refreshing.release()


KEPT = 1000  # boards of which this process has a copy; the one that was asked for first goes first

_snapshots: OrderedDict[int, Snapshots] = OrderedDict()


def of(board: Board) -> Snapshots:
    kept = _snapshots.get(board.id)
    if kept is None or kept.board != board:
        while len(_snapshots) >= KEPT:
            _snapshots.popitem(last=False)
        kept = _snapshots[board.id] = Snapshots(board)
    return kept


def get(board: Board) -> Snapshot:
    return of(board).get()


def fresh(board: Board) -> Snapshot | None:
    """The copy, if it is Redis' and may be shown without waiting for anything; else None: `get` refreshes it."""
    kept = of(board)
    current = kept.current
    if current is None or current.page.epoch is None:
        return None
    age = time.monotonic() - current.taken
    if age < FRESH_SECONDS or (age < STALE_SECONDS and kept.refreshing.locked()):
        FROM_MEMORY.inc()
        return current
    return None


def put(board: Board, page: Page) -> None:
    """What the hub has just read from Redis need not be read again."""
    kept = of(board)
    current = kept.current
    if current and behind(page, current.page):
        return
    same = current is not None and current.page == page
    kept.current = Snapshot(board, page, time.monotonic(), current.bodies if current and same else {})


def behind(page: Page, known: Page) -> bool:
    return page.epoch == known.epoch and (page.seq or 0) < (known.seq or 0)


def row_data(row: Row) -> dict[str, Any]:
    """A line of a board as the API and the push show it."""
    return {
        "rank": row.rank,
        "user_id": row.user_id,
        "username": row.username,
        "score": row.score,
        "avatar": row.avatar,
        **({} if row.metadata is None else {"metadata": row.metadata}),
        **({"late_corrections": [late_data(one) for one in row.late_corrections]} if row.late_corrections else {}),
    }


def late_data(one: LateCorrection) -> dict[str, Any]:
    return {"score": one.score, "remaining": one.remaining, "at": iso(one.at.timestamp())}


def rows_data(board: Board, page: Page, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Lines of this page, each with its tier if the board has tiers."""
    return [{**row_data(row), **tiers.shown(board.tiers, row.rank, page.players)} for row in rows]


def board_data(board: Board) -> dict[str, Any]:
    """Which board it is, as the API says it."""
    return {
        "slug": board.slug,
        "title": board.title,
        "period": board.period,
        "starts_at": board.starts_at and board.starts_at.isoformat(),
        "ends_at": board.ends_at and board.ends_at.isoformat(),
        "closed_at": board.closed_at and board.closed_at.isoformat(),
        "frozen_at": board.frozen_at and board.frozen_at.isoformat(),
    }


@lru_cache(maxsize=1024)
def tag(board: Board) -> str:
    """For ETags: another when something else is said of the board."""
    return f":{zlib.crc32(json.dumps(board_data(board)).encode()):08x}"


def encode_page(board: Board, page: Page, rows: list[Row], *, at: datetime | None = None) -> bytes:
    """The body of `GET /scoreboard/top`, in UTF-8. `at`: of a past board, the instant that is shown."""
    body = {
        "success": True,
        "data": rows_data(board, page, rows),
        "last_updated": iso(page.updated),
        "epoch": page.epoch,
        "seq": page.seq,
        "players": page.players,
        "board": board_data(board),
        **({"at": at.isoformat()} if at else {}),
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def iso(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
