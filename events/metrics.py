"""What was told, what was not, and how far behind the history each sink is."""

from collections.abc import Iterator

from django.conf import settings
from django.db import Error as DatabaseError
from prometheus_client import Counter, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api.metrics import SITE
from api.postgresql.fresh import fresh_cursor

EVENTS = Counter("scoreboard_events_total", "Events that a sink has confirmed.", ["sink"])
EVENT_FAILURES = Counter("scoreboard_event_failures_total", "Attempts to tell a sink that failed.", ["sink"])
KINDS = ("rabbitmq", "webhook")

for kind in KINDS:
    EVENTS.labels(kind)
    EVENT_FAILURES.labels(kind)

# The oldest entry that a mark has not confirmed is the next of its window, by ids, or, when that is told, the oldest
# that the window's later snapshot does not see, by transactions. Each is found at an end of an index, however long the
# backlog is. (In a window whose next entry is further on than a thousand ids, a later one stands for it.)
LOOK = """
SELECT split_part(m.sink, ':', 1),
       max(extract(epoch FROM clock_timestamp() - coalesce(told.created_at, unseen.created_at)))
  FROM event_marks m
  LEFT JOIN LATERAL (
           SELECT h.created_at
             FROM (SELECT id, created_at, changed_xid::text::xid8 AS xid
                     FROM score_history WHERE id > m.after ORDER BY id LIMIT 1000) h
            WHERE m.until <> '' AND pg_visible_in_snapshot(h.xid, nullif(m.until, '')::pg_snapshot)
              AND (m.since = '' OR NOT pg_visible_in_snapshot(h.xid, nullif(m.since, '')::pg_snapshot))
            ORDER BY h.id LIMIT 1) told ON true
  LEFT JOIN LATERAL (
           SELECT h.created_at
             FROM (SELECT nullif(coalesce(nullif(m.until, ''), m.since), '')::pg_snapshot AS seen) at, score_history h
            WHERE h.changed_xid >= pg_snapshot_xmin(at.seen)::text::bigint
              AND NOT pg_visible_in_snapshot(h.changed_xid::text::xid8, at.seen)
            ORDER BY h.changed_xid LIMIT 1) unseen ON true
 WHERE m.cluster = (SELECT system_identifier::text FROM pg_control_system())
   AND CASE WHEN m.sink = 'rabbitmq' THEN %(publishes)s
            ELSE m.sink IN (SELECT 'webhook:' || id FROM webhook_endpoints
                             WHERE disabled_at IS NULL AND 'scoreboard.updates' = ANY (types)) END
 GROUP BY 1
"""


class Lag(Collector):
    """As PostgreSQL has it, whether or not a worker runs; of all webhooks the one that is furthest behind."""

    def collect(self) -> Iterator[Metric]:
        try:
            with fresh_cursor() as cursor:
                cursor.execute(LOOK, {"publishes": bool(settings.EVENT_BROKER_URL)})
                behind = dict(cursor.fetchall())
        except DatabaseError:
            return
        lag = GaugeMetricFamily(
            "scoreboard_event_lag_seconds",
            "Since the oldest change that a sink has not confirmed; 0 when it has all.",
            labels=["sink"],
        )
        for kind in KINDS:
            lag.add_metric([kind], float(behind.get(kind) or 0))
        yield lag


SITE.register(Lag())
