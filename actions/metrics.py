"""What redeeming, awards and the queue count."""

from collections.abc import Iterator

from django.db import Error as DatabaseError
from prometheus_client import Counter, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api.metrics import CALL_SECONDS, SITE, Names
from api.postgresql.fresh import fresh_cursor

REDEEM_SECONDS = Histogram(
    "scoreboard_redeem_seconds",
    "What a redemption takes inside the server, from parsed request to answer.",
    buckets=CALL_SECONDS,
)
COMMIT_GROUP = Histogram(
    "scoreboard_commit_group_size",
    "Redemptions, or single awards, committed together.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
AWARDS = Counter("scoreboard_awards_total", "Awards recorded, by the name of the API key that told.", ["key"])
QUEUE_SENDS = Counter("scoreboard_queue_sends_total", "Queued redemptions handed to the broker.", ["outcome"])
QUEUE_BUSY = Counter(
    "scoreboard_queue_busy_total", "Requests queued by themselves because QUEUE_WHEN_BUSY was reached."
)
QUEUE_DEAD = Counter("scoreboard_queue_dead_total", "Queued redemptions given up after the last retry.")

for outcome in ("sent", "failed"):
    QUEUE_SENDS.labels(outcome)
key_names = Names()

LOOK = """
SELECT (SELECT count(*) FROM queued_work WHERE state = 'queued'),
       (SELECT count(*) FROM queued_work WHERE state = 'dead'),
       coalesce((SELECT extract(epoch FROM clock_timestamp() - min(accepted_at))
                   FROM queued_work WHERE state = 'queued'), 0)
"""


class Queue(Collector):
    """The queue as PostgreSQL has it, which is the truth whatever the broker holds."""

    def collect(self) -> Iterator[Metric]:
        try:
            with fresh_cursor() as cursor:
                cursor.execute(LOOK)
                waiting, dead, oldest = cursor.fetchone()
        except DatabaseError:
            return
        yield GaugeMetricFamily("scoreboard_queue_length", "Queued requests that wait for a worker.", waiting)
        yield GaugeMetricFamily("scoreboard_queue_oldest_seconds", "How long the oldest of them waits.", oldest)
        yield GaugeMetricFamily("scoreboard_queue_dead_letters", "Queued requests that wait for an admin.", dead)


SITE.register(Queue())
