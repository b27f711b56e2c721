"""What the read side counts."""

from prometheus_client import Counter

CACHE_READS = Counter("scoreboard_cache_reads_total", "Board reads by where they were served from.", ["source"])
DRIFT = Counter(
    "scoreboard_drift_total", "Players on whom history, total and board disagreed when reconciled.", ["kind"]
)
