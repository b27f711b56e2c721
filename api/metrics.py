"""Prometheus metrics. The names are a contract; dashboards and alert rules are written against them.

With several processes, PROMETHEUS_MULTIPROC_DIR (set before start) makes `/metrics` the sum over all of them.
"""

import os

from django.http import HttpRequest, HttpResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)

SCORE_INCREMENTS = Counter("score_increment_total", "Score entries recorded.", ["source"])
SCORE_INCREMENT_FAILURES = Counter(
    "score_increment_failures_total", "Score entries refused, by problem slug.", ["reason"]
)
UPDATE_LATENCY = Histogram(
    "scoreboard_update_latency_ms",
    "Milliseconds a redemption takes inside the server, from parsed request to answer.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
)
PROJECTION_FAILURES = Counter(
    "scoreboard_projection_failures_total", "Announcements Redis did not take; the sweep repairs them."
)
CACHE_READS = Counter("scoreboard_cache_reads_total", "Board reads by where they were served from.", ["source"])
AUTH_FAILURES = Counter("scoreboard_auth_failures_total", "Requests refused with 401 or 403.", ["reason"])
DRIFT = Counter(
    "scoreboard_drift_total", "Players on whom history, total and board disagreed when reconciled.", ["kind"]
)

LIMITED = Counter("scoreboard_limited_total", "Requests refused with 429.", ["policy"])
LIMITER_FALLBACKS = Counter(
    "scoreboard_limiter_fallbacks_total", "Requests counted by one process alone because Redis was away."
)

QUEUE_SENDS = Counter("scoreboard_queue_sends_total", "Queued redemptions handed to the broker.", ["outcome"])
QUEUE_DEAD = Counter("scoreboard_queue_dead_total", "Queued redemptions given up after the last retry.")

FLAGS = Counter("scoreboard_flags_total", "Flags opened by the watch.", ["detector"])

COMMIT_GROUP = Histogram(
    "scoreboard_commit_group_size", "Redemptions committed together.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)


def metrics_view(request: HttpRequest) -> HttpResponse:
    """GET /metrics in Prometheus' text format."""
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
