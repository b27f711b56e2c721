"""What a visitor chooses among: the boards of the site, and of one board its periods. Pages show these as links."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from django.db import InterfaceError, OperationalError

from leaderboard import boards
from leaderboard.boards import ALL, Board

log = structlog.get_logger(__name__)

SLUG = re.compile(r"[a-z0-9.-]{1,65}")
PERIOD = re.compile(r"[0-9A-Za-z.-]{1,16}")
LISTED = 60  # of the periods that are over, as many as one page links to: those around the one it shows
ABBREVIATION = 3  # letters; the value "eu" is written EU, "europe" Europe


@dataclass(frozen=True, slots=True)
class Choice:
    """A board one can go to. `slug`: how it is asked for; `over`: it has no open period any more."""

    slug: str
    title: str
    chosen: bool
    over: bool


@dataclass(frozen=True, slots=True)
class Periods:
    """Around the period that is shown: its neighbours, None where there is none, and those over, the last first.

    `current` is the open one, also when it is the one shown.
    """

    current: Board | None
    earlier: Board | None
    later: Board | None
    over: list[Board]


def find(slug: str, period: str | None = None) -> Board | None:
    """The board with this slug, open or closed, filled or not; None if there is none.

    Raises OperationalError when PostgreSQL is away and the board is not known to this process.
    """
    if not SLUG.fullmatch(slug) or (period is not None and not PERIOD.fullmatch(period)):
        return None
    return boards.find(slug, period) or boards.closed(slug, period)


def heading(board: Board) -> str:
    return f"{board.title}: {value(board.part)}" if board.part else board.title


def value(part: str) -> str:
    """The value of an attribute that a part of a board is for, as people write it."""
    return part.upper() if len(part) <= ABBREVIATION else part.replace("-", " ").capitalize()


def menu(shown: Board, *, hidden: bool = False) -> list[Choice]:
    """Every board, the open ones first; one that has parts once, with the first of them."""
    chosen = boards.rule_slug(shown.slug)
    first: dict[str, Choice] = {}
    for board in everyone(hidden=hidden):
        over = board.closed_at is not None
        first.setdefault(
            boards.rule_slug(board.slug), Choice(board.slug, board.title, boards.rule_slug(board.slug) == chosen, over)
        )
    return list(first.values())


def parts(shown: Board, *, hidden: bool = False) -> list[Choice]:
    """The boards of the same rule, if each value of an attribute has its own."""
    if not shown.part:
        return []
    return [
        Choice(board.slug, value(board.part), board.slug == shown.slug, board.closed_at is not None)
        for board in everyone(hidden=hidden)
        if boards.rule_slug(board.slug) == boards.rule_slug(shown.slug)
    ]


def everyone(*, hidden: bool = False) -> list[Board]:
    """Of every board the current period, or the last; the open ones first. `hidden`: those that are, too."""
    known = boards.listing()
    found = [boards.find(slug) for slug in known.slugs]
    return [
        board
        for board in (*found, *known.over.values())
        if board and (hidden or board.visibility != boards.Visibility.HIDDEN)
    ]


def archive(slug: str) -> int | None:
    """How many closed periods visitors are offered of this board; None: all."""
    rule = boards.rule(slug)
    return rule.archive if rule else None


def periods(shown: Board, *, whole: bool = False) -> Periods | None:
    """Those that are offered, or the `whole` of them. None for a board without periods, and while PostgreSQL cannot
    say."""
    if shown.id == 0 or (shown.ends_at is None and shown.closed_at is None):
        return None
    try:
        closed = list(boards.past(shown.slug, most=None if whole else archive(shown.slug)))
    except (OperationalError, InterfaceError) as error:
        log.warning("periods_unavailable", board=shown.slug, error=str(error).strip())
        return None
    current = boards.find(shown.slug)
    over = [*(board for board in boards.unrevealed(shown.slug) if board != current), *closed]
    row = [*([current] if current else []), *over]
    keys = [board.period for board in row]
    if shown.closed_at and shown.period not in keys:  # an older one, asked for by its key
        return Periods(current, earlier=None, later=next(reversed(row), None), over=over[-LISTED:])
    place = keys.index(shown.period) if shown.period in keys else -1  # -1: one that has not begun
    listed = max(0, place - 1) // LISTED * LISTED
    return Periods(
        current,
        earlier=row[place + 1] if place + 1 < len(row) else None,
        later=row[place - 1] if place > 0 else None,
        over=over[listed : listed + LISTED],
    )


def dates(board: Board) -> str:
    """When a period is, by the calendar of its zone: "16 to 22 Nov 2026"; "" where there is no telling."""
    if board.starts_at is None or board.ends_at is None:
        return ""
    if board.period == ALL:
        return f"{moment(board.starts_at, board.zone)} to {moment(board.ends_at, board.zone)}"
    zone = ZoneInfo(board.zone)
    first = board.starts_at.astimezone(zone).date()
    last = (board.ends_at - timedelta(microseconds=1)).astimezone(zone).date()
    end = f"{last.day} {last:%b %Y}"
    if first == last:
        return end
    if first.year != last.year:
        return f"{first.day} {first:%b %Y} to {end}"
    return f"{first.day} to {end}" if first.month == last.month else f"{first.day} {first:%b} to {end}"


def moment(at: datetime, zone: str) -> str:
    local = at.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %Y, %H:%M}"
