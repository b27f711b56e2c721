"""What was scored today and on the same weekday of last week, up to the same time of day.

Two windows of at most a day each, found by the BRIN index on `created_at`: nothing is written or locked for it, and no
table grows an index. What is summed up is kept for a minute by each process.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import ApiKey
from scoreboard.models import ScoreHistory

log = structlog.get_logger(__name__)

WEEK = timedelta(days=7)
KEPT_SECONDS = 60.0
# One core of PostgreSQL for so long at most, and once a minute and process: scores are written meanwhile.
QUERY_SECONDS = 5
BOUNDS = "SELECT set_config('statement_timeout', %s, true), set_config('max_parallel_workers_per_gather', '0', true)"
WINDOW = "h.created_at >= %(since)s AND h.created_at < %(until)s"
SUMS = f"""
SELECT extract(hour FROM h.created_at AT TIME ZONE 'UTC')::int, h.source, h.action_type, sum(h.delta)
  FROM score_history h WHERE {WINDOW} AND h.value IS NULL GROUP BY 1, 2, 3
"""  # noqa: S608
# A history row of an award has the award's own id. Staff's entries are no play.
KEYS = f"""
SELECT a.issued_by, sum(h.delta) FROM score_history h JOIN awards a ON a.action_id = h.action_id
 WHERE {WINDOW} AND h.source = 'award' AND h.value IS NULL GROUP BY 1
"""  # noqa: S608
PLAYERS = f"""
SELECT count(DISTINCT h.user_id) FROM score_history h WHERE {WINDOW} AND h.source IN ('action', 'award')
"""  # noqa: S608
REFUSED = """
SELECT reason, sum(count)::bigint FROM audit_log WHERE last_at >= %(since)s AND last_at < %(until)s GROUP BY 1
"""
PLAY = frozenset({ScoreHistory.Source.ACTION.value, ScoreHistory.Source.AWARD.value})


@dataclass(slots=True)
class Day:
    """One window. `hours`: points by hour of the day (UTC); the others: points, and refusals, by name."""

    players: int = 0
    hours: Counter[int] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def points(self) -> int:
        return sum(self.hours.values())


@dataclass(frozen=True, slots=True)
class Comparison:
    """`today` from midnight UTC until `at`, `before` the same span seven days earlier. `whole` is False when PostgreSQL
    had not summed them up within QUERY_SECONDS."""

    at: datetime
    today: Day
    before: Day
    whole: bool = True

    @property
    def weekday(self) -> str:
        return f"{self.at - WEEK:%A}"


def compare(at: datetime) -> Comparison:
    at = at.astimezone(UTC)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        return Comparison(at, day(midnight, at), day(midnight - WEEK, at - WEEK))
    except OperationalError as error:
        log.warning("overview_not_summed_up", error=str(error).strip())
        return Comparison(at, Day(), Day(), whole=False)


def day(since: datetime, until: datetime) -> Day:
    """Raises OperationalError when it takes too long."""
    found = Day()
    window = {"since": since, "until": until}
    for hour, source, action_type, points in read(SUMS, window):
        found.hours[hour] += int(points)
        found.types[action_type if source in PLAY else f"{source}s"] += int(points)
        if source != ScoreHistory.Source.AWARD:
            found.keys["tokens, no key" if source in PLAY else f"{source}s"] += int(points)
    names = dict(ApiKey.objects.values_list("pk", "name"))
    for key, points in read(KEYS, window):
        found.keys[names.get(key, "unknown key")] += int(points)
    found.refusals.update({reason: int(number) for reason, number in read(REFUSED, window)})
    [(found.players,)] = read(PLAYERS, window)
    return found


def read(sql: str, window: Mapping[str, datetime]) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BOUNDS, [f"{QUERY_SECONDS}s"])
        cursor.execute(sql, window)
        return list(cursor.fetchall())


class Kept:
    """What a call returned lately; of several threads that want it anew one asks, and the others wait for it."""

    def __init__(self, call: Callable[[datetime], Comparison]) -> None:
        self.call = call
        self.lock = threading.Lock()
        self.value: Comparison | None = None
        self.until = 0.0

    def get(self) -> Comparison:
        with self.lock:
            if self.value is None or time.monotonic() >= self.until:
                self.value = self.call(timezone.now())
                self.until = time.monotonic() + KEPT_SECONDS
            return self.value


lately = Kept(compare)


def side_by_side(today: Counter[str], before: Counter[str], most: int = 8) -> list[tuple[str, int, int]]:
    """(name, today, before), the greatest of today first; what is beyond `most` is one line, "others"."""
    named: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    ranked = sorted({*today, *before}, key=lambda name: (-today[name], -before[name], name))
    for position, name in enumerate(ranked):
        line = named[name if position < most else "others"]
        line[0] += today[name]
        line[1] += before[name]
    return [(name, now, then) for name, (now, then) in named.items()]
