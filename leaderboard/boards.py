"""Which boards there are, as this process knows them, and the names of their keys in Redis.

A board here is one period of a rule, of one part of it where each value of an attribute has its own: what has an order,
viewers and keys. The rules are in SQL (scoreboard/models/boards.py); what changes there is known here within
STALE_SECONDS.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from api.problems import Problem
from leaderboard import tiers
from leaderboard.tiers import Tiers
from scoreboard.models import Board as Rule
from scoreboard.standing import Standing

log = structlog.get_logger(__name__)

Visibility, Ties = Rule.Visibility, Rule.Ties

VISIBLE_TOP = 100  # ranks a page can show; a change inside raises seq and is announced, one below is not
STALE_SECONDS = 1.0
AHEAD = timedelta(minutes=1)  # a period is made ready this long before it begins
ALL = "all"  # the period of a board that has one for all time

VERSION = "SELECT coalesce((SELECT version FROM boards_version), 0), clock_timestamp()"
FIELDS = """
SELECT p.id, b.slug || CASE WHEN p.part = '' THEN '' ELSE '.' || p.part END, b.title, p.key, p.part,
       p.starts_at, p.ends_at, b."order" = 'low', b.ties, p.filled_at IS NOT NULL, p.closed_at,
       CASE WHEN p.counts_until IS NOT NULL THEN b.freeze_at END, p.truth, b.visibility, b.zone, b.description, b.tiers
  FROM board_periods p JOIN boards b ON b.id = p.board_id AND NOT b.paused
"""
OPEN = f"{FIELDS} WHERE p.closed_at IS NULL ORDER BY b.slug, p.part, p.starts_at"
CLOSED = f"{FIELDS} WHERE b.slug = %s AND p.part = %s AND p.closed_at IS NOT NULL AND NOT p.truth"
OVER = f"""
{FIELDS.replace("SELECT", "SELECT DISTINCT ON (b.id, p.part)", 1)} WHERE p.closed_at IS NOT NULL AND NOT p.truth
   AND NOT EXISTS (SELECT FROM board_periods o WHERE o.board_id = b.id AND o.closed_at IS NULL)
 ORDER BY b.id, p.part, p.ends_at DESC
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Board:
    """One ranking. `slug`: how it is asked for, "weekly" or "region.eu"; `period`: the key of its period, "2026-W47".

    `low`: the lowest score wins. `ties`: which of equal scores is first, and whether they share a rank.
    """

    slug: str
    title: str
    id: int = 0  # of the period; 0 for the totals of all players, whose standings are the accounts themselves
    period: str = ALL
    part: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    low: bool = False
    ties: str = Ties.EARLIEST.value
    ready: bool = True  # not: it is being filled from the history
    closed_at: datetime | None = None
    frozen_at: datetime | None = None  # the public is shown it as of then
    truth: bool = False  # of a period that freezes, what the public is not shown
    visibility: str = Visibility.PUBLIC
    zone: str = "UTC"  # in which its days begin
    description: str = ""
    tiers: Tiers = ()

    @property
    def public(self) -> bool:
        """Whether anybody may see it."""
        return settings.LEADERBOARD_PUBLIC and self.visibility == Visibility.PUBLIC

    def shows(self, standing: Standing) -> bool:
        """Whether this player has a rank here: visible, and with something to show."""
        return standing.visible and (self.id != 0 or standing.total > 0)

    def score(self, points: int) -> int:
        """What is shown of points as they rank."""
        return -points if self.low else points

    @property
    def shares_ranks(self) -> bool:
        """Whether equals have one rank."""
        return self.ties in BETTER

    @property
    def name(self) -> str:
        """Of its keys and its group. Every period that ever was has another, so that nothing of one is another's."""
        return f"period-{self.id}" if self.id else self.slug

    def holds(self, at: datetime) -> bool:
        """Whether what is done at this moment belongs to it."""
        return (self.starts_at is None or self.starts_at <= at) and (self.ends_at is None or at < self.ends_at)


@dataclass(frozen=True, slots=True)
class Keys:
    """A board's keys. All share the hash tag, so that a board lives on one Redis Cluster slot."""

    rank: str  # ZSET  total by member (see ranking/members.py)
    player: str  # HASH  user id → "<version>:<member>", the member empty for one who is not shown
    profile: str  # HASH  user id → JSON {"username", "avatar"}
    meta: str  # HASH  epoch, seq, updated, swept, swept_at, run, building; how many are known, shown, scores
    lock: str  # STRING the holder of the rebuild lock
    compared: str  # STRING what the last reconcile found, as JSON
    better: str | None = None  # where equals share a rank: `rank`, or ZSET of the distinct totals, to count the better

    def all(self) -> list[str]:
        """The keys of the board's content, in the order every script takes them."""
        return [self.rank, self.player, self.profile, self.meta, *([self.better] if self.better else [])]


GLOBAL = Board("global", "All players")


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


def rule_slug(slug: str) -> str:
    """Of the rule of this board: "region" of "region.eu"."""
    return slug.partition(".")[0]


def rule(slug: str) -> Rule | None:
    """Of the board with this slug. One that is not known may have been made a moment ago: SQL is asked once more."""
    name = rule_slug(slug)
    if name != GLOBAL.slug and name not in listing().rules and not in_event_loop():
        refresh(at_once=True)
    return _listing.rules.get(name)


def visibility(slug: str) -> str:
    """Who sees the board with this slug, counted or paused; of one that is not there anybody would."""
    known = rule(slug)
    return known.visibility if known else Visibility.PUBLIC


def board_of(row: tuple[Any, ...]) -> Board:
    """From a row of FIELDS."""
    period_id, slug, title, *others = row
    others[-1] = tiers.read(others[-1])
    return Board(slug, title, period_id, *others)


def everyone() -> list[Board]:
    """The boards that are kept: open, filled, and begun or about to begin."""
    known = listing()
    soon = known.now + AHEAD
    return [
        board for board in known.boards.values() if board.ready and (board.starts_at is None or board.starts_at <= soon)
    ]


def by_id(period_id: int) -> Board | None:
    """The open board of this period; None for one that is being filled, was deleted or has ended."""
    board = listing().boards.get(period_id)
    if board is None and not in_event_loop():
        refresh(at_once=True)
        board = _listing.boards.get(period_id)
    return board if board and board.ready else None


def forget() -> None:
    """What is known is looked at again before it is used."""
    global _listing, _looked_at
    _listing, _looked_at = Listing(), 0.0


def slugs() -> list[str]:
    return sorted(listing().slugs)


def find(slug: str, period: str | None = None) -> Board | None:
    """The board's period with this key, without one the current; None if there is none that is open."""
    if slug == GLOBAL.slug and period in (None, ALL):
        return GLOBAL
    known = listing()
    mine = known.slugs.get(slug, [])
    if period is not None:
        return next((board for board in mine if board.period == period), None)
    now = known.now
    current = [board for board in mine if board.holds(now)]
    # Between its end and its closing a board has no other; before its opening it has the first.
    return current[0] if current else next(iter(mine), None)


def get(slug: str, period: str | None = None) -> Board:
    """The board with this slug, of this period or the current one. Raises Problem not-found, unavailable.

    A closed period is read from SQL, outside of event loops.
    """
    board = find(slug, period) or closed(slug, period)
    if board is None:
        if _listing.version < 0 and in_event_loop():  # this process has only just begun
            raise Problem("unavailable", "Which boards there are is not known yet.", headers={"Retry-After": "2"})
        raise no_such_board()
    if not board.ready:
        raise counting()
    return board


def truth(slug: str, period: str | None = None) -> Board:
    """As `get`, but of a frozen board with all that it holds back. For those who may see that."""
    public = get(slug, period)
    board = listing().truths.get((public.slug, public.period), public)
    if not board.ready:
        raise counting()
    return board


def counting() -> Problem:
    return Problem("unavailable", "This board is being counted.", headers={"Retry-After": "2"})


def no_such_board() -> Problem:
    return Problem("not-found", "There is no such board.")


def shown(slug: str, period: str | None = None) -> Board:
    """As `get`, for those to whom hidden boards are not there."""
    if visibility(slug) == Visibility.HIDDEN:
        raise no_such_board()
    return get(slug, period)


def closed(slug: str, period: str | None = None) -> Board | None:
    """The closed period with this key, without one the last."""
    return next((board for board in past(slug) if period in (None, board.period)), None)


def past(slug: str) -> Iterator[Board]:
    """The closed periods, the last first. Raises OperationalError when PostgreSQL is away."""
    if in_event_loop():
        return iter(())
    name, _, part = slug.partition(".")
    with connection.cursor() as cursor:
        cursor.execute(f"{CLOSED} ORDER BY p.ends_at DESC", [name, part])
        return map(board_of, cursor.fetchall())


BETTER = {Ties.SHARED.value: "rank", Ties.DENSE.value: "scores"}  # by ties, the last word of the key `better`


def keys(board: Board) -> Keys:
    base = f"{settings.REDIS_KEY_PREFIX}lb:{{{board.name}}}:"
    counted = BETTER.get(board.ties)
    own = f"{base}rank", f"{base}player", f"{base}profile", f"{base}meta", f"{base}lock", f"{base}compared"
    return Keys(*own, f"{base}{counted}" if counted else None)


def group(board: Board) -> str:
    """The channel-layer group of the live processes that show this board."""
    return f"board.{board.name}"


def channel(board: Board) -> str:
    """The Pub/Sub channel of that group, as the layer of `CHANNEL_LAYERS` names it: scripts publish there."""
    return f"{settings.REDIS_KEY_PREFIX}channels__group__{group(board)}"
