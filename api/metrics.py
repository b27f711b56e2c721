"""What HTTP, SQL and Redis count. Each app has its own in `<app>/metrics.py`; `metrics_page.py` shows them.

The names are a contract: dashboards and alert rules are written against them (docs/operations.md lists them).

What a process does is in prometheus_client's own registry. What the site is (a queue's length, whether Redis answers)
belongs to no process: collectors in `SITE` look at the moment of each scrape, so no figure outlives its truth.

A counter whose labels are known begins at 0 for each of them: PromQL sees no increase in a series' first sample.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a gauge more for each series, which no process with a folder has

SITE = CollectorRegistry()

AUTH_FAILURES = Counter("scoreboard_auth_failures_total", "Requests refused with 401 or 403.", ["reason"])
LIMITED = Counter("scoreboard_limited_total", "Requests refused with 429.", ["policy"])
LIMITER_FALLBACKS = Counter(
    "scoreboard_limiter_fallbacks_total", "Requests counted by one process alone because Redis was away."
)
CALL_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SQL_SECONDS = Histogram(
    "scoreboard_sql_seconds", "What a statement takes PostgreSQL, by its name or verb.", ["statement"],
    buckets=CALL_SECONDS,
)  # fmt: skip
REDIS_SECONDS = Histogram(
    "scoreboard_redis_seconds", "What a call takes Redis, by script or command.", ["call"], buckets=CALL_SECONDS
)

MOST_NAMES = 100  # series of one label whose values people make up
OTHERS = "others"


class Names:
    """Bounds a label: the first MOST_NAMES values keep theirs, all later ones are OTHERS."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def __call__(self, name: str) -> str:
        if name in self.known:
            return name
        if len(self.known) >= MOST_NAMES:
            return OTHERS
        self.known.add(name)
        return name
