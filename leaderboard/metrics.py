"""What the read side counts."""

import time
from collections.abc import Iterator

from prometheus_client import Counter, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api.metrics import SITE
from leaderboard import boards, ranking
from leaderboard.drift import KINDS

CACHE_READS = Counter("scoreboard_cache_reads_total", "Board reads by where they were served from.", ["source"])
DRIFT = Counter(
    "scoreboard_drift_total", "Players on whom history, total and board disagreed when reconciled.", ["kind"]
)

for source in ("memory", "redis", "sql"):
    CACHE_READS.labels(source)
for kind in (*KINDS, "lost"):
    DRIFT.labels(kind)


class Lag(Collector):
    """How old the newest moment is at which each board is known to have had everything: the last sweep's beginning.

    While Redis is away it is what this process knew last, so that it goes on rising. Of several periods of a board,
    such as what the public is shown of a frozen one and its truth, it is that of the oldest.
    """

    def __init__(self) -> None:
        self.swept_at: dict[str, float] = {}  # by name

    def collect(self) -> Iterator[Metric]:
        lag = GaugeMetricFamily(
            "scoreboard_projection_lag_seconds",
            "Since the last sweep that saw to it that the board has everything; what came later may be missing.",
            labels=["board"],
        )
        known, oldest = dict[str, float](), dict[str, float]()
        for board in boards.everyone():
            at = look(board) or self.swept_at.get(board.name)
            if at is not None:
                known[board.name] = at
                oldest[board.slug] = min(at, oldest.get(board.slug, at))
        self.swept_at = known
        for slug, at in oldest.items():
            lag.add_metric([slug], max(0.0, time.time() - at))
        yield lag


def look(board: boards.Board) -> float | None:
    """When it was swept last, as Redis has it; None when that is away, or has lost the board."""
    try:
        [at] = ranking.meta(board, "swept_at")
        return float(at or "")
    except (ranking.Unavailable, ValueError):
        return None


SITE.register(Lag())
