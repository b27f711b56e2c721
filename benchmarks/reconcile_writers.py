"""So many writes a second by the real path, until stdin closes: `python -m benchmarks.reconcile_writers RATE THREADS`.

Prints JSON: `written`, `failed` (those that Redis was too slow for; the sweep brings them), and `latencies` in seconds,
each counted from when the write was due. A write is due whether or not the one before it is done.
"""

import itertools
import json
import random
import sys
import threading
import time
import uuid

import django

django.setup()

from django.db import connection
from prometheus_client import REGISTRY

from scoreboard import ledger
from scoreboard.ledger import Entry
from scoreboard.models import ScoreHistory

SAMPLE = "SELECT user_id FROM user_scores ORDER BY user_id LIMIT 20000"


def main() -> None:
    rate, threads = float(sys.argv[1]), int(sys.argv[2])
    with connection.cursor() as cursor:
        cursor.execute(SAMPLE)
        ids: list[uuid.UUID] = [user_id for (user_id,) in cursor.fetchall()]
    stop, turns, latencies = threading.Event(), itertools.count(), []
    began = time.monotonic() + 0.2

    def write() -> None:
        while True:
            due = began + next(turns) / rate
            if stop.wait(max(0.0, due - time.monotonic())):
                break
            user_id = random.choice(ids)
            outcomes = ledger.record([Entry(user_id, uuid.uuid4(), ScoreHistory.Source.BONUS, delta=1)])
            assert outcomes[0].outcome == "recorded", outcomes
            ledger.announce([outcomes[0].standing])
            latencies.append(time.monotonic() - due)
        connection.close()

    crew = [threading.Thread(target=write) for _ in range(threads)]
    for thread in crew:
        thread.start()
    print("writing", flush=True)
    sys.stdin.read()
    stop.set()
    for thread in crew:
        thread.join()
    failed = REGISTRY.get_sample_value("scoreboard_projection_failures_total")
    print(json.dumps({"written": len(latencies), "failed": failed, "latencies": latencies}), flush=True)


if __name__ == "__main__":
    main()
