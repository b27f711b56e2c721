"""How a board would look, counted from the history by the rule as it is typed, without anything being written."""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from scoreboard.models import EACH, Board

LINES = 10
MOST = 2000  # players whose entries are counted
MOST_PARTS = 3
SECONDS = 5  # PostgreSQL may take for each statement

WINDOW = """
SELECT w.key, w.starts_at, w.ends_at
  FROM board_window(jsonb_populate_record(NULL::boards, %(rule)s::jsonb), %(at)s::timestamptz) w
"""
SCORERS = """
SELECT user_id FROM score_history
 WHERE created_at >= coalesce(%(starts_at)s, '-infinity'::timestamptz)
   AND created_at < coalesce(%(ends_at)s, 'infinity'::timestamptz)
   AND (%(types)s::text[] = '{}' OR action_type = ANY (%(types)s::text[]))
 GROUP BY user_id ORDER BY sum(delta) DESC, user_id LIMIT %(most)s
"""
EVER = "SELECT user_id FROM user_scores WHERE total > 0 ORDER BY total DESC, user_id LIMIT %(most)s"
COUNTED = """
WITH rule AS MATERIALIZED (
    SELECT jsonb_populate_record(NULL::boards, %(rule)s::jsonb) AS b,
           jsonb_populate_record(NULL::board_periods, %(period)s::jsonb) AS p)
SELECT CASE (r.b).ties WHEN 'shared' THEN rank() OVER by_points WHEN 'dense' THEN dense_rank() OVER by_points
                       ELSE row_number() OVER in_order END, player_name(u), s.points * board_sign(r.b)
  FROM rule r CROSS JOIN LATERAL standings_of_history(r.p, r.b, %(users)s::uuid[]) s JOIN users u ON u.id = s.user_id
 WHERE s.shown AND player_visible(u)
WINDOW by_points AS (ORDER BY s.points DESC), in_order AS (
    ORDER BY s.points DESC, CASE WHEN (r.b).ties = 'latest' THEN s.reached_at END DESC, s.reached_at, s.user_id DESC)
 ORDER BY row_number() OVER in_order
 LIMIT %(lines)s
"""
PARTS = """
SELECT part FROM users u CROSS JOIN LATERAL (
           SELECT lower(CASE WHEN %(name)s = 'region' THEN u.region ELSE u.attributes ->> %(name)s END) AS part) v
 WHERE part ~ '^[a-z0-9-]{1,32}$' GROUP BY part ORDER BY count(*) DESC, part LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Preview:
    """One period of one part. `lines`: (rank, name, score) from the first. `counted`: of how many players at most, None
    if of all."""

    part: str
    period: str
    lines: list[tuple[int, str, int]]
    counted: int | None


def of(rule: Board) -> list[Preview]:
    """The current period, or before the opening nothing; by the most common values where each has a board of its own.

    Raises OperationalError when it takes too long.
    """
    with transaction.atomic():
        run("SELECT set_config('statement_timeout', %(ms)s, true)", ms=str(SECONDS * 1000))
        said = as_json(rule)
        [(key, starts_at, ends_at)] = run(WINDOW, rule=said, at=timezone.now())
        if key is None:
            return []
        users = scorers(rule, starts_at, ends_at)
        return [one(rule, said, part, key, starts_at, ends_at, users) for part in parts(rule)]


def scorers(rule: Board, starts_at: Any, ends_at: Any) -> list[Any]:
    """Those who can be expected at the top; one more than are counted if there are more."""
    if starts_at is None and ends_at is None and not rule.action_types:
        found = run(EVER, most=MOST + 1)
    else:
        found = run(SCORERS, starts_at=starts_at, ends_at=ends_at, types=rule.action_types, most=MOST + 1)
    return [user_id for (user_id,) in found]


def parts(rule: Board) -> list[str]:
    if rule.attribute_value != EACH:
        return [""]
    return [part for (part,) in run(PARTS, name=rule.attribute, most=MOST_PARTS)]


def one(rule: Board, said: str, part: str, key: str, starts_at: Any, ends_at: Any, users: list[Any]) -> Preview:
    period = {
        "id": 0,
        "part": part,
        "key": key,
        "starts_at": starts_at and starts_at.isoformat(),
        "ends_at": ends_at and ends_at.isoformat(),
    }
    lines = run(COUNTED, rule=said, period=json.dumps(period), users=users[:MOST], lines=LINES)
    return Preview(part, key, lines, MOST if len(users) > MOST else None)


def as_json(rule: Board) -> str:
    """Its columns, as PostgreSQL makes a row of them."""
    columns = {field.column: getattr(rule, field.attname) for field in Board._meta.concrete_fields}
    return json.dumps({**columns, "created_at": None}, default=lambda moment: moment.isoformat())


def run(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
