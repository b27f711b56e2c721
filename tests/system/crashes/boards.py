"""Two boards beside that of all players, a weekly one and one of wins, judged by the history alone."""

from datetime import timedelta
from typing import Any

from tests.system.crashes.evidence import BEGINNING, LAST
from tests.system.crashes.site import Site

BOARDS = """
from scoreboard import periods
from scoreboard.models import Board
Board.objects.create(slug="weekly", title="Weekly", window="weekly", zone="Pacific/Auckland")
Board.objects.create(slug="wins", title="Wins", action_types=["WIN_MATCH"])
periods.keep()
"""
# Every entry with what took it back, in the periods that are open and have begun.
LINES = """
SELECT p.id, b.slug, p.part, e.user_id::text,
       sum(e.delta + coalesce(r.delta, 0))::bigint, max(greatest(e.created_at, r.created_at))
  FROM board_periods p JOIN boards b ON b.id = p.board_id
  JOIN score_history e ON e.reverses IS NULL
                      AND CASE b.slug WHEN 'wins' THEN e.action_type = 'WIN_MATCH'
                                      ELSE e.source IN ('action', 'award') AND e.created_at >= p.starts_at
                                           AND e.created_at < p.ends_at END
  JOIN users u ON u.id = e.user_id AND u.is_active AND NOT u.is_hidden
  LEFT JOIN score_history r ON r.user_id = e.user_id AND r.reverses = e.id
 WHERE p.closed_at IS NULL
 GROUP BY p.id, b.slug, p.part, e.user_id HAVING sum(e.delta + coalesce(r.delta, 0)) > 0
"""
STANDINGS = """
SELECT p.id, b.slug, p.part, s.user_id::text, s.points, s.reached_at
  FROM standings s JOIN board_periods p ON p.id = s.period_id AND p.closed_at IS NULL JOIN boards b ON b.id = p.board_id
  JOIN users u ON u.id = s.user_id AND u.is_active AND NOT u.is_hidden
 WHERE s.shown
"""


Boards = dict[str, dict[str, int]]  # by slug, part and period: members of the ranking, and their points


def disagreements(site: Site) -> list[str]:
    """Where SQL's standings, or Redis, are not what the history says."""
    with site.database() as session:
        expected = members(session.execute(LINES).fetchall())
        standings = members(session.execute(STANDINGS).fetchall())
    ranked: Boards = {}
    with site.redis_client() as client:
        redis: Any = client
        for name in expected:
            key = f"lb:{{period-{name.split()[-1]}}}:rank"
            ranked[name] = {member.decode(): int(total) for member, total in redis.zrange(key, 0, -1, withscores=True)}
    return [
        *(f"SQL's standings of {name} are not the history's" for name in differing(expected, standings)),
        *(f"Redis's board {name} is not the history's" for name in differing(expected, ranked)),
    ]


def members(rows: Any) -> Boards:
    found: Boards = {}
    for period, slug, part, user, points, reached_at in rows:
        inverted = LAST - (reached_at - BEGINNING) // timedelta(microseconds=1)
        found.setdefault(f"{slug} {part} {period}", {})[f"{inverted:016x}{user}"] = points
    return found


def differing(one: Boards, other: Boards) -> list[str]:
    return [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
