"""Boards as they were at a past instant: exactly, from the history, by the rule as it is now.

An entry counts that was made by then, by what its player was at its time, less the corrections made by then. Hidden and
erased players are left out, as of now; so are, of a board that players join, those who have not joined.
"""

import threading
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from rest_framework import serializers

from api.problems import Problem
from leaderboard import boards, tiers
from leaderboard.boards import GLOBAL, Board
from leaderboard.ranking import Page, Row
from leaderboard.ranking.members import parsed
from leaderboard.truth import ORDER
from scoreboard import periods
from scoreboard.board_checks import EARLIEST

KEPT, KEPT_SECONDS = 256, 60.0  # answers of this process
MOST_ENTRIES = 50_000  # of the history, that are counted on top of a checkpoint
SETTLED = timedelta(minutes=1)  # no transaction is open for longer: what is older than this stays as it is
PATIENCE_SECONDS = 1.0  # for the question of another client: who waits holds a thread

# Which period held the instant, and, of one that is frozen, the last moment that the public may know of.
PERIOD = """
SELECT b.id, b.title, coalesce(p.key, w.key), w.starts_at, w.ends_at, b."order" = 'low', b.ties, p.closed_at,
       CASE WHEN b.freeze_at <= clock_timestamp() THEN f.until END, b.freeze_at, b.visibility, b.zone, b.description,
       b.tiers
  FROM boards b CROSS JOIN LATERAL board_window(b, %(at)s) w
  LEFT JOIN LATERAL (SELECT p.key, p.closed_at FROM board_periods p
                      WHERE p.board_id = b.id AND p.part = %(part)s AND NOT p.truth
                        AND split_part(p.key, '.', 1) = w.key ORDER BY p.id DESC LIMIT 1) p ON true
 CROSS JOIN LATERAL (SELECT min(p.counts_until) AS until FROM board_periods p
                      WHERE p.board_id = b.id AND p.part = %(part)s AND coalesce(p.starts_at, '-infinity') <= %(at)s
                        AND coalesce(p.ends_at, 'infinity') > %(at)s) f
 WHERE b.slug = %(slug)s AND NOT b.paused
   AND EXISTS (SELECT FROM board_periods known WHERE known.board_id = b.id AND known.part = %(part)s)
"""
# `stood`: the visible players, the best of them at least; `counted`: how many there are, and whether the page is known.
NEAR = """
WITH near AS MATERIALIZED (
    SELECT n.* FROM checkpoint_at((SELECT b FROM boards b WHERE b.id = %(rule)s), %(part)s, %(starts_at)s, %(at)s,
                                  %(entries)s, %(limit)s + %(offset)s) n
), stood AS MATERIALIZED (
    SELECT s.user_id, s.total, s.reached_at
      FROM near n CROSS JOIN LATERAL unnest(n.users, n.points, n.reached) s(user_id, total, reached_at)
      JOIN users u ON u.id = s.user_id WHERE player_visible(u)
), counted AS MATERIALIZED (
    SELECT n.players - checkpoint_unseen((SELECT b FROM boards b WHERE b.id = %(rule)s), %(part)s, %(starts_at)s,
                                         %(at)s) AS players,
           n.players = cardinality(n.users) OR %(limit)s + %(offset)s <= (SELECT count(*) FROM stood) AS known
      FROM near n WHERE n.players IS NOT NULL
)"""
WHOLE = """
WITH stood AS MATERIALIZED (
    SELECT s.user_id, s.points AS total, s.reached_at
      FROM standings_as_of((SELECT b FROM boards b WHERE b.id = %(rule)s), %(part)s, %(starts_at)s, %(at)s) s
      JOIN users u ON u.id = s.user_id WHERE player_visible(u)
), counted AS MATERIALIZED (SELECT count(*) AS players, true AS known FROM stood)"""
# A best or a latest entry has its metadata in the history, under the time at which the score was reached.
LINES = """
SELECT c.players, c.known, t.user_id, t.total, t.reached_at,
       (SELECT h.metadata::text FROM score_history h JOIN boards b ON b.id = %(rule)s AND b.value IN ('best', 'latest')
         WHERE h.user_id = t.user_id AND h.created_at = t.reached_at AND h.reverses IS NULL
           AND coalesce(h.value, h.delta) * board_sign(b) = t.total
           AND board_counts(b, h.source, h.action_type, h.boards, h.value IS NOT NULL)
           AND NOT EXISTS (SELECT FROM score_history r
                            WHERE r.user_id = h.user_id AND r.reverses = h.id AND r.created_at <= %(at)s)
         ORDER BY CASE b.value WHEN 'latest' THEN -h.id ELSE h.id END LIMIT 1),
       t.rank, t.better
  FROM counted c
  LEFT JOIN LATERAL (SELECT user_id, total, reached_at, {rank} FROM stood ORDER BY {order}
                      LIMIT %(limit)s OFFSET %(offset)s) t ON true
"""
SHOWN = """
SELECT u.id, player_name(u), u.avatar_url FROM users u
 WHERE u.id = ANY (%s) AND player_visible(u)
   AND NOT EXISTS (SELECT FROM boards b WHERE b.id = %s AND b.entry = 'join' AND NOT board_entered(b.id, u.id))
"""


@dataclass(frozen=True, slots=True)
class Instant:
    """A board at a past instant. `board`: the period that held it; `rule`: its row, 0 of the board of all totals."""

    board: Board
    rule: int
    at: datetime


def find(slug: str, at: datetime, *, truth: bool = False) -> Instant:
    """Of a frozen board, unless the `truth` is asked for, no later than the public may know of.

    Raises Problem not-found, and ValidationError for an instant that is not over or at which the board was not open.
    """
    if not EARLIEST <= at <= periods.clock():
        raise serializers.ValidationError({"at": [f"Expected an instant that is over, from {EARLIEST.year} on."]})
    if slug == GLOBAL.slug:
        return Instant(GLOBAL, 0, at)
    name, _, part = slug.partition(".")
    with connection.cursor() as cursor:
        cursor.execute(PERIOD, {"slug": name, "part": part, "at": at})
        found = cursor.fetchone()
    if found is None or slug.endswith("."):
        raise Problem("not-found", "There is no such board.")
    rule, title, key, starts_at, ends_at, low, ties, closed_at, until, freeze_at, *shown = found
    if key is None:
        raise serializers.ValidationError({"at": ["The board was not open at that instant."]})
    shown[-1] = tiers.read(shown[-1])
    frozen_at = freeze_at if until is not None and not truth else None
    whole = (slug, title, -1, key, part, starts_at, ends_at, low, ties, True, closed_at, frozen_at, truth)
    return Instant(Board(*whole, *shown), rule, min(at, until) if frozen_at else at)


def top(asked: Instant, limit: int, offset: int) -> Page:
    """Ranks offset+1 … offset+limit. Raises Problem unavailable while others ask for much."""
    wanted = (boards.listing().version, asked, limit, offset)
    if (page := kept(wanted)) is not None:
        return page
    if (page := near(asked, limit, offset)) is not None:
        return shown(wanted, page) or top(asked, limit, offset)  # a player was hidden in between
    # One at a time: each reads much, and its answer may be the next one's.
    if not _counting.acquire(timeout=PATIENCE_SECONDS):
        raise Problem("unavailable", "Other past boards are being counted; try again.", headers={"Retry-After": "5"})
    try:
        page = kept(wanted)
        if page is None:
            page = shown(wanted, whole(asked, limit, offset))
    finally:
        _counting.release()
    return page or top(asked, limit, offset)


def shown(wanted: Any, page: Page) -> Page | None:
    """With names, and kept when nothing can change it any more; None when one of its players is not shown any more."""
    _, asked, *_ = wanted
    found = named(page, asked.rule)
    if found is not None and asked.at < periods.clock() - SETTLED:
        keep(wanted, found)
    return found


def near(asked: Instant, limit: int, offset: int) -> Page | None:
    """Counted from the checkpoint before it, without names; None when that does not tell this page."""
    lines = counted(NEAR, asked, limit, offset)
    return page_of(asked, offset, lines) if lines and lines[0][1] else None


def whole(asked: Instant, limit: int, offset: int) -> Page:
    """Counted from the whole history of the period, without names."""
    return page_of(asked, offset, counted(WHOLE, asked, limit, offset))


def counted(sql: str, asked: Instant, limit: int, offset: int) -> list[Any]:
    board = asked.board
    parameters: dict[str, Any] = {"rule": asked.rule, "part": board.part, "starts_at": board.starts_at, "at": asked.at}
    parameters |= {"limit": limit, "offset": offset, "entries": MOST_ENTRIES}
    with connection.cursor() as cursor:
        cursor.execute(sql + LINES.format(**ORDER[board.ties]), parameters)
        lines: list[Any] = cursor.fetchall()
        return lines


def page_of(asked: Instant, offset: int, lines: list[Any]) -> Page:
    score = asked.board.score
    rows = [
        Row(rank or offset + place, str(user_id), "", score(total), None, reached_at, parsed(metadata), better)
        for place, (_, _, user_id, total, reached_at, metadata, rank, better) in enumerate(lines, start=1)
        if user_id is not None
    ]
    return Page(None, None, asked.at.timestamp(), lines[0][0], rows)


def named(page: Page, rule: int) -> Page | None:
    """With the players as they are shown now; None when one of them is not shown any more, or has left the board."""
    with connection.cursor() as cursor:
        cursor.execute(SHOWN, [[uuid.UUID(row.user_id) for row in page.rows], rule])
        shown = {str(user_id): (name, avatar or None) for user_id, name, avatar in cursor.fetchall()}
    if len(shown) < len(page.rows):
        return None
    rows = [replace(row, username=shown[row.user_id][0], avatar=shown[row.user_id][1]) for row in page.rows]
    return replace(page, rows=rows)


# --- what this process has answered ------------------------------------------------------------------

_counting = threading.Lock()
_kept: OrderedDict[Any, tuple[float, Page]] = OrderedDict()


def kept(wanted: Any) -> Page | None:
    """An answer of the last minute, unless a rule has changed or one of its players is hidden or has left since."""
    at, page = _kept.get(wanted, (0.0, None))
    if page is None or time.monotonic() - at > KEPT_SECONDS:
        return None
    _, asked, *_ = wanted
    return named(page, asked.rule)


def keep(wanted: Any, page: Page) -> None:
    while len(_kept) >= KEPT:
        _kept.popitem(last=False)
    _kept[wanted] = (time.monotonic(), page)
