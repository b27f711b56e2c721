"""The boards of SQL, as this process knows them: what changes there is known here within STALE_SECONDS."""

import asyncio
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection

from leaderboard import tiers
from leaderboard.boards.board import GLOBAL, Board, rule_slug
from scoreboard.models import Board as Rule

log = structlog.get_logger(__name__)

STALE_SECONDS = 1.0
VERSION = "SELECT coalesce((SELECT version FROM boards_version), 0), clock_timestamp()"
FIELDS = """
SELECT p.id, b.slug || CASE WHEN p.part = '' THEN '' ELSE '.' || p.part END, b.title, p.key, p.part,
       p.starts_at, p.ends_at, b."order" = 'low', b.ties, p.filled_at IS NOT NULL, p.closed_at,
       CASE WHEN p.counts_until IS NOT NULL THEN b.freeze_at END, p.truth, b.visibility, b.zone, b.description, b.tiers
  FROM board_periods p JOIN boards b ON b.id = p.board_id AND NOT b.paused
"""
OPEN = f"{FIELDS} WHERE p.closed_at IS NULL ORDER BY b.slug, p.part, p.starts_at"
CLOSED = f"""
{FIELDS} WHERE b.slug = %s AND p.part = %s AND p.key = coalesce(%s, p.key) AND p.closed_at IS NOT NULL AND NOT p.truth
 ORDER BY p.ends_at DESC LIMIT %s
"""
OVER = f"""
{FIELDS.replace("SELECT", "SELECT DISTINCT ON (b.id, p.part)", 1)} WHERE p.closed_at IS NOT NULL AND NOT p.truth
   AND NOT EXISTS (SELECT FROM board_periods o WHERE o.board_id = b.id AND o.closed_at IS NULL)
 ORDER BY b.id, p.part, p.ends_at DESC
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Listing:
    """All rules and open boards at one version of SQL's. `skew`: how far PostgreSQL's clock is ahead of ours.

    `over`: by slug, the last period of each board whose rule has no open one.
    """

    version: int = -1
    skew: timedelta = timedelta()
    boards: dict[int, Board] = field(default_factory=lambda: {0: GLOBAL})
    slugs: dict[str, list[Board]] = field(default_factory=lambda: {GLOBAL.slug: [GLOBAL]})  # what the public sees
    truths: dict[tuple[str, str], Board] = field(default_factory=dict)  # by slug and period, of those that freeze
    freezes: datetime | None = None  # the first of those that are not frozen yet
    rules: dict[str, Rule] = field(default_factory=dict)  # paused ones, too, in the order of their slugs
    parts: dict[str, list[str]] = field(default_factory=dict)  # by slug of the rule, those that are open
    over: dict[str, Board] = field(default_factory=dict)

    def known(self, board: Board) -> bool:
        return board.id in self.boards

    @property
    def now(self) -> datetime:
        """PostgreSQL's clock, which decides to which period an entry belongs."""
        return datetime.now(UTC) + self.skew


_listing = Listing()
_looked_at = _failed_at = 0.0  # time.monotonic()
_looking = threading.Lock()


def listing() -> Listing:
    """What is known, looked at again when it is STALE_SECONDS old; in an event loop as it is: there `refresh` is called
    beside it."""
    if time.monotonic() - _looked_at > STALE_SECONDS and not in_event_loop():
        refresh()
    return _listing


def in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def refresh(*, at_once: bool = False) -> None:
    """Reads SQL's boards if they changed. While PostgreSQL is away what is known stays.

    One thread looks, the others go on with what there is; unless what they need is new to them (`at_once`), or nothing
    is known yet.
    """
    global _looked_at, _failed_at
    asked = time.monotonic()
    if not _looking.acquire(blocking=at_once or _listing.version < 0):
        return
    try:
        if _looked_at > asked:
            return  # who was waited for began to look after this was asked
        began = time.monotonic()
        look()
        _looked_at = began
    except (OperationalError, InterfaceError) as error:
        # Not at once again, and said once: that PostgreSQL is away others say, too.
        known = _looked_at > _failed_at
        _looked_at = _failed_at = time.monotonic()
        if known:
            log.warning("boards_not_read", error=str(error).strip())
    finally:
        _looking.release()


def look() -> None:
    global _listing
    with connection.cursor() as cursor:
        cursor.execute(VERSION)
        version, clock = cursor.fetchone()
        skew = clock - datetime.now(UTC)
        if version == _listing.version and not (_listing.freezes and _listing.freezes <= clock):
            _listing = replace(_listing, skew=skew)
            return
        cursor.execute(OPEN)
        known = [GLOBAL, *map(board_of, cursor.fetchall())]
        cursor.execute(OVER)
        over = {board.slug: board for board in map(board_of, cursor.fetchall())}
    ahead = {board.frozen_at for board in known if board.frozen_at and board.frozen_at > clock}
    found = [replace(board, frozen_at=None) if board.frozen_at in ahead else board for board in known]
    slugs: dict[str, list[Board]] = {}
    parts: dict[str, list[str]] = {}
    for board in found:
        if board.truth:
            continue
        if board.part and board.slug not in slugs:
            parts.setdefault(rule_slug(board.slug), []).append(board.part)
        slugs.setdefault(board.slug, []).append(board)
    truths = {(board.slug, board.period): board for board in found if board.truth}
    rules = {rule.slug: rule for rule in Rule.objects.order_by("slug")}
    boards = {board.id: board for board in found}
    _listing = Listing(version, skew, boards, slugs, truths, min(ahead, default=None), rules, parts, over)


def board_of(row: tuple[Any, ...]) -> Board:
    """From a row of FIELDS."""
    period_id, slug, title, *others = row
    others[-1] = tiers.read(others[-1])
    return Board(slug, title, period_id, *others)


def forget() -> None:
    """What is known is looked at again before it is used."""
    global _listing, _looked_at
    _listing, _looked_at = Listing(), 0.0
