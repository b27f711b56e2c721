"""What redeeming counts."""

from prometheus_client import Counter, Histogram

UPDATE_LATENCY = Histogram(
    "scoreboard_update_latency_ms",
    "Milliseconds a redemption takes inside the server, from parsed request to answer.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
)
COMMIT_GROUP = Histogram(
    "scoreboard_commit_group_size",
    "Redemptions, or single awards, committed together.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
QUEUE_SENDS = Counter("scoreboard_queue_sends_total", "Queued redemptions handed to the broker.", ["outcome"])
QUEUE_DEAD = Counter("scoreboard_queue_dead_total", "Queued redemptions given up after the last retry.")
