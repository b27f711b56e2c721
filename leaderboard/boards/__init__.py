"""Which boards there are: found by who shows one, writes one or compares all."""

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import timedelta

from django.db import connection

from api.problems import Problem
from leaderboard.boards.board import ALL, GLOBAL, Board, Ties, Visibility, channel, group, keys, rule_slug
from leaderboard.boards.known import CLOSED, Listing, board_of, forget, in_event_loop, listing, refresh
from scoreboard.models import Board as Rule
from scoreboard.standing import Standing

__all__ = [
    "ALL",
    "GLOBAL",
    "Board",
    "Listing",
    "Ties",
    "Visibility",
    "channel",
    "forget",
    "group",
    "keys",
    "listing",
    "refresh",
    "rule_slug",
]

VISIBLE_TOP = 100  # ranks a page can show; a change inside raises seq and is announced, one below is not
AHEAD = timedelta(minutes=1)  # a period is made ready this long before it begins


def rule(slug: str) -> Rule | None:
    """Of the board with this slug. One that is not known may have been made a moment ago: SQL is asked once more."""
    name = rule_slug(slug)
    if name != GLOBAL.slug and name not in listing().rules and not in_event_loop():
        refresh(at_once=True)
    return listing().rules.get(name)


def visibility(slug: str) -> str:
    """Who sees the board with this slug, counted or paused; of one that is not there anybody would."""
    known = rule(slug)
    return known.visibility if known else Visibility.PUBLIC


def everyone() -> list[Board]:
    """The boards that are kept: open, filled, and begun or about to begin."""
    known = listing()
    soon = known.now + AHEAD
    return [
        board for board in known.boards.values() if board.ready and (board.starts_at is None or board.starts_at <= soon)
    ]


def of_periods(ids: Set[int]) -> Mapping[int, Board]:
    """The open boards, these among them. One that is not known may have been made a moment ago: SQL is asked once."""
    if not ids:
        return {}
    if not ids <= listing().boards.keys() and not in_event_loop():
        refresh(at_once=True)
    return listing().boards


def of_standings(standings: Sequence[Standing]) -> dict[Board, list[Standing]]:
    """Each standing where it belongs: on `global`, and at its places on others that are open and filled."""
    known = of_periods({place.period for standing in standings for place in standing.places})
    found: dict[Board, list[Standing]] = {GLOBAL: []}
    for standing in standings:
        found[GLOBAL].append(standing)
        for place in standing.places:
            board = known.get(place.period)
            if board and board.ready:
                found.setdefault(board, []).append(standing.at(place))
    return found


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
        if listing().version < 0 and in_event_loop():  # this process has only just begun
            raise Problem("unavailable", "Which boards there are is not known yet.", headers={"Retry-After": "2"})
        raise not_found(slug, period)
    if not board.ready:
        raise counting()
    return board


def not_found(slug: str, period: str | None) -> Problem:
    """Says what there is instead, if it is no secret."""
    if find(slug) is not None:
        kind = "open period" if in_event_loop() else "period"  # the closed ones are not looked at there
        return Problem("not-found", f"This board has no {kind} {period}.")
    if parts := listing().parts.get(slug):
        return Problem("not-found", f"This board has one for each value, such as {slug}.{parts[0]}.")
    return no_such_board()


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
    return next(past(slug, period, most=1), None)


def unrevealed(slug: str) -> list[Board]:
    """The periods that are over and not closed, as frozen ones are until they are revealed; the last first."""
    known = listing()
    return [board for board in reversed(known.slugs.get(slug, [])) if board.ends_at and board.ends_at <= known.now]


def past(slug: str, period: str | None = None, most: int | None = None) -> Iterator[Board]:
    """The closed periods, with this key or all, the last first. Raises OperationalError when PostgreSQL is away."""
    if in_event_loop():
        return iter(())
    name, _, part = slug.partition(".")
    with connection.cursor() as cursor:
        cursor.execute(CLOSED, [name, part, period, most])
        return map(board_of, cursor.fetchall())
