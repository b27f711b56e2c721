"""What the push side counts. Gauges are of live processes only; `/metrics` sums them."""

from prometheus_client import Counter, Gauge, Histogram

CONNECTIONS = Gauge(
    "scoreboard_live_connections",
    "Viewers connected now.",
    ["transport"],
    multiprocess_mode="livesum",
)
SIGNED_IN = Gauge(
    "scoreboard_live_signed_in", "Viewers connected now whose identity is known.", multiprocess_mode="livesum"
)
BLOCKED = Gauge("scoreboard_live_blocked", "Viewers that accept no bytes right now.", multiprocess_mode="livesum")
TASKS = Gauge("scoreboard_live_tasks", "asyncio tasks of the live processes.", multiprocess_mode="livesum")
GROUPS = Gauge("scoreboard_live_groups", "Channel-layer groups the live processes are in.", multiprocess_mode="livesum")
PUSHES = Counter("scoreboard_live_pushes_total", "Snapshots pushed to the viewers of a board.", ["board"])
ENCODES = Counter("scoreboard_live_encodes_total", "Snapshots encoded: one for each push and limit in use.")
EVICTIONS = Counter("scoreboard_live_evictions_total", "Viewers closed for accepting no bytes.", ["transport"])
REFUSALS = Counter("scoreboard_live_refusals_total", "Connections refused or closed for what they sent.", ["code"])
READS = Counter("scoreboard_live_reads_total", "Reads of a board from Redis, by what came of them.", ["outcome"])
SUBSCRIPTIONS = Counter(
    "scoreboard_live_subscriptions_total", "Times the boards' groups were joined; more than one: Redis was away."
)
ACKNOWLEDGED = Histogram(
    "scoreboard_live_acknowledged_seconds",
    "From a push to a viewer's ack of it, over the viewer's own network.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
