"""What a board is, as the API says it: its rule in the words of docs/boards.md, its current period, its parts."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from leaderboard import boards
from leaderboard.boards import ALL, GLOBAL, Board, Listing, Visibility
from scoreboard.models import EACH
from scoreboard.models import Board as Rule

MOST_PARTS = 1000  # that one answer names
PERIODS = """
SELECT p.key, p.starts_at, p.ends_at, p.filled_at IS NOT NULL, p.closed_at, p.ends_at <= clock_timestamp(),
       (SELECT max(f.place) FROM final_standings f WHERE f.period_id = p.id)
  FROM (SELECT p.*, count(p.closed_at) OVER (ORDER BY coalesce(p.ends_at, 'infinity') DESC, p.id DESC) AS closed
          FROM board_periods p JOIN boards b ON b.id = p.board_id AND NOT b.paused
         WHERE b.slug = %s AND p.part = %s AND NOT p.truth
           AND coalesce(p.starts_at, '-infinity') <= clock_timestamp()) p
 WHERE p.closed_at IS NULL OR p.closed <= coalesce(%s, p.closed)
 ORDER BY coalesce(p.ends_at, 'infinity') DESC, p.id DESC LIMIT %s OFFSET %s
"""


def every(hidden: bool, signed_in: bool) -> list[dict[str, Any]]:
    """`global` and then all boards that such a caller may see, by slug; paused ones are there for who sees hidden ones.

    Nothing of it asks SQL.
    """
    known = boards.listing()
    seen = {Visibility.PUBLIC: True, Visibility.SIGNED_IN: signed_in, Visibility.HIDDEN: hidden}
    found = [rule for rule in known.rules.values() if seen[Visibility(rule.visibility)] and (hidden or not rule.paused)]
    return [of_global(), *(of_rule(rule, known) for rule in found)]


def one(slug: str, hidden: bool) -> dict[str, Any]:
    """The board with this slug, or the part of it that is named `<slug>.<value>`. Raises Problem not-found."""
    if slug == GLOBAL.slug:
        return of_global()
    rule, known = boards.rule(slug), boards.listing()
    part = slug.partition(".")[2]
    if rule is None or (rule.paused and not hidden):
        raise boards.no_such_board()
    if part and slug not in known.slugs and slug not in known.over:
        raise boards.no_such_board()
    return of_rule(rule, known, part)


def of_global() -> dict[str, Any]:
    visibility = Visibility.PUBLIC if settings.LEADERBOARD_PUBLIC else Visibility.SIGNED_IN
    rule = Rule(slug=GLOBAL.slug, title=GLOBAL.title, visibility=visibility)
    period = {"key": ALL, "starts_at": None, "ends_at": None}
    return {**words(rule), "state": "open", "period": period, "next_reset": None, "parts": []}


def of_rule(rule: Rule, known: Listing, part: str = "") -> dict[str, Any]:
    each = rule.attribute_value == EACH
    parts = parts_of(rule, known) if each and not part else []
    slug = f"{rule.slug}.{part or parts[0]}" if part or parts else rule.slug
    mine, now = known.slugs.get(slug, []), known.now
    current = next((board for board in mine if board.holds(now)), None)
    following = current is not None and any(board.starts_at == current.ends_at for board in mine)
    return {
        **words(rule),
        "slug": f"{rule.slug}.{part}" if part else rule.slug,
        "state": state(rule, mine, current, now),
        "period": current
        and {"key": current.period, "starts_at": told(current.starts_at), "ends_at": told(current.ends_at)},
        "next_reset": told(current.ends_at) if current and following else None,
        "parts": parts[:MOST_PARTS],
    }


def parts_of(rule: Rule, known: Listing) -> list[str]:
    """Those that are open; of a board that is over, those that were."""
    closed = [board.part for board in known.over.values() if boards.rule_slug(board.slug) == rule.slug]
    return known.parts.get(rule.slug) or sorted(closed)


def state(rule: Rule, mine: list[Board], current: Board | None, now: datetime) -> str:
    """What a visitor finds. A board with parts has none before the first player has a value."""
    if rule.paused:
        return "paused"
    if any(board.frozen_at for board in mine):
        return "frozen"
    if current is not None:
        return "open" if current.ready else "counting"
    if rule.closes_at is not None and rule.closes_at <= now:
        return "closed"
    return "upcoming" if mine or (rule.opens_at is not None and rule.opens_at > now) else "empty"


def words(rule: Rule) -> dict[str, Any]:
    """The rule, as POST and PUT take it."""
    return {
        "slug": rule.slug,
        "title": rule.title,
        "description": rule.description,
        "visibility": rule.visibility,
        "paused": rule.paused,
        "window": window(rule),
        "zone": rule.zone,
        "opens_at": told(rule.opens_at),
        "closes_at": told(rule.closes_at),
        "freeze_at": told(rule.freeze_at),
        "counts": {"types": rule.action_types, "sources": rule.sources},
        "who": who(rule),
        "unit": "player",
        "entry": rule.entry,
        "value": rule.value,
        "order": rule.order,
        "attempts": rule.attempts,
        "ties": rule.ties,
        "tiers": rule.tiers,
        "close": rule.close,
        "archive": rule.archive,
    }


def window(rule: Rule) -> Any:
    if rule.window == Rule.Window.DAYS:
        return {"days": rule.every_days, "from": rule.starts_on and rule.starts_on.isoformat()}
    if rule.window == Rule.Window.FIXED:
        return {"from": told(rule.opens_at), "to": told(rule.closes_at)}
    return rule.window


def who(rule: Rule) -> dict[str, Any] | None:
    if not rule.attribute:
        return None
    if rule.attribute_value == EACH:
        return {"attribute": rule.attribute, "each": True}
    return {"attribute": rule.attribute, "value": rule.attribute_value}


def told(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def periods(slug: str, limit: int, offset: int, archive: int | None) -> list[dict[str, Any]]:
    """Those that have begun, the newest first; of closed ones the last `archive`, None for all.

    Raises Problem not-found for a board that has parts: they have them.
    """
    if slug == GLOBAL.slug:
        whole = {"key": ALL, "starts_at": None, "ends_at": None, "state": "open", "closed_at": None, "players": None}
        return [whole][offset : offset + limit]
    name, _, part = slug.partition(".")
    with connection.cursor() as cursor:
        cursor.execute(PERIODS, [name, part, archive, limit, offset])
        return [
            {
                "key": key,
                "starts_at": told(starts_at),
                "ends_at": told(ends_at),
                "state": "closed" if closed_at else "closing" if over else "open" if filled else "counting",
                "closed_at": told(closed_at),
                "players": (players or 0) if closed_at else None,
            }
            for key, starts_at, ends_at, filled, closed_at, over, players in cursor.fetchall()
        ]
