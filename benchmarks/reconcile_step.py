"""One step in a process of its own, for its memory's sake: `python -m benchmarks.reconcile_step STEP [trace]`.

STEP: rebuild, check, repair, sweep. Prints JSON: `seconds`, `rss` at its highest and `idle` before, in MB, `traced` (MB
at the highest, with `trace`, which makes everything slow), `compared`, `drift`, `repaired`.
"""

import json
import resource
import sys
import time
import tracemalloc

import django

django.setup()

from api import redis_client
from leaderboard import boards, ranking, rebuild, reconcile, sweep
from leaderboard.boards import Board
from scoreboard import changes

MEGABYTE = 1024 * 1024


def main() -> None:
    step, trace = sys.argv[1], "trace" in sys.argv
    board = boards.get("global")
    ranking.command("ping")
    changes.now()
    idle = highest()
    if trace:
        tracemalloc.start()
    began = time.monotonic()
    compared = drift = repaired = 0
    if step == "rebuild":
        lose_and_rebuild(board)
    elif step == "sweep":
        swept = sweep.sweep(board)
        compared, repaired = swept.seen, swept.healed
    else:
        report = reconcile.reconcile(board, check=step == "check")
        compared, drift, repaired = report.compared, report.drift, report.repaired
    seconds = time.monotonic() - began
    traced = tracemalloc.get_traced_memory()[1] / MEGABYTE if trace else 0.0
    found = {"compared": compared, "drift": drift, "repaired": repaired}
    print(json.dumps({"seconds": seconds, "idle": idle, "rss": highest(), "traced": traced, **found}))


def lose_and_rebuild(board: Board) -> None:
    """Here and at once: a writer notices a lost board within milliseconds and would rebuild it itself."""
    while True:
        redis_client.connection().unlink(*boards.keys(board).all())
        if rebuild.rebuild(board):
            return
        while ranking.epoch(board) is None:
            time.sleep(0.1)


def highest() -> float:
    """This process's largest resident size so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
