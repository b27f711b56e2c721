"""`/metrics`, and what HTTP counts; each app has its own in `<app>/metrics.py`.

The names are a contract: dashboards and alert rules are written against them.

With several processes, PROMETHEUS_MULTIPROC_DIR (set before start) makes `/metrics` the sum over all of them.
"""

import os

from django.http import HttpRequest, HttpResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    generate_latest,
    multiprocess,
)

AUTH_FAILURES = Counter("scoreboard_auth_failures_total", "Requests refused with 401 or 403.", ["reason"])

LIMITED = Counter("scoreboard_limited_total", "Requests refused with 429.", ["policy"])
LIMITER_FALLBACKS = Counter(
    "scoreboard_limiter_fallbacks_total", "Requests counted by one process alone because Redis was away."
)


def metrics_view(request: HttpRequest) -> HttpResponse:
    """GET /metrics in Prometheus' text format."""
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
