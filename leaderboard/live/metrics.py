"""What the push side counts. Gauges are of living processes only; `/metrics` sums them."""

import os

from prometheus_client import Counter, Gauge, Histogram, multiprocess

if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    # A process that was killed may have had this number, and gauges begin with what their file says.
    multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]

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
PUSH_SECONDS = Histogram(
    "scoreboard_live_push_seconds",
    "From the first viewer to the last whom a snapshot is handed.",
    buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
UPDATE_LATENCY = Histogram(
    "scoreboard_update_latency_ms",
    "Milliseconds from the commit of the oldest change in a push until every viewer is handed it.",
    buckets=(5, 10, 20, 50, 100, 200, 300, 400, 500, 600, 800, 1000, 2000, 5000, 10_000, 30_000),
)
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

for transport in ("websocket", "sse"):
    CONNECTIONS.labels(transport)
    EVICTIONS.labels(transport)
for outcome in ("read", "away", "lost"):
    READS.labels(outcome)
