"""Boards at past instants, over a long history: `GET /scoreboard/top?at=…` as its view answers it, names included.

    make bench-past [ARGS="--players 1000000 --entries 10000000 --questions 60"]

Each question is of a random instant that was not asked before, by turns over the boards. The floor is the sum over the
whole history up to then, which is what answers without checkpoints. Needs DATABASE_URL and REDIS_URL, into which it
writes: an empty site of its own. Ten million entries take PostgreSQL some minutes, and their checkpoints half an hour.
"""

import argparse
import random
import statistics
import time
from collections import defaultdict
from datetime import datetime, timedelta

from django.core.management import call_command
from django.db import connection

import benchmarks.rest  # noqa: F401 (first: it sets Django up)
from leaderboard import past
from scoreboard import checkpoints, periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardCheckpoint, ScoreHistory

USERS = """
INSERT INTO users (id, password, is_superuser, username, email, is_staff, is_active, date_joined, avatar_url, region,
                   role, is_hidden, session_key)
SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '!', false, 'bench-' || n, '', false, true,
       now(), '', '', 'player', n %% 1000 = 0, gen_random_uuid()
  FROM generate_series(1::bigint, %s::bigint) n
"""
# Of all entries, in 300 days, a third are by the most active tenth of the players; each player's add up, one by one.
HISTORY = """
INSERT INTO score_history (user_id, action_id, source, action_type, delta, old_total, new_total, version, reason,
                           request_id, created_at)
SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(d.who), 12, '0'))::uuid, gen_random_uuid(), 'award', d.kind, d.delta,
       d.total - d.delta, d.total, d.version, '', '', d.at
  FROM (SELECT e.*, sum(e.delta) OVER w AS total, row_number() OVER w AS version
          FROM (SELECT n, CASE WHEN random() < 0.5 THEN 'RACE' ELSE 'LAP' END AS kind,
                       1 + (random() * 999)::bigint AS delta,
                       1 + (random() * (%(players)s / CASE WHEN random() < 0.3 THEN 10 ELSE 1 END - 1))::bigint AS who,
                       date_trunc('day', now()) - interval '300 days' + n * (interval '300 days' / %(entries)s) AS at
                  FROM generate_series(1::bigint, %(entries)s::bigint) n) e
        WINDOW w AS (PARTITION BY e.who ORDER BY e.n)) d
 ORDER BY d.n
"""
TOTALS = """
INSERT INTO user_scores (user_id, total, version, reached_at, changed_xid)
SELECT h.user_id, h.new_total, h.version, h.created_at, 1
  FROM (SELECT DISTINCT ON (user_id) user_id, new_total, version, created_at FROM score_history
         ORDER BY user_id, id DESC) h
    ON CONFLICT (user_id) DO UPDATE
   SET total = excluded.total, version = excluded.version, reached_at = excluded.reached_at
"""
INDEXES = """
SELECT coalesce(c.conname, i.indexrelid::regclass::text),
       c.conname IS NOT NULL, coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(i.indexrelid))
  FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'u'
 WHERE i.indrelid = 'score_history'::regclass AND NOT i.indisprimary
"""


def history(players: int, entries: int) -> None:
    """Set-based, past the ledger: what it would have written."""
    with connection.cursor() as cursor:
        cursor.execute(INDEXES)
        indexes = cursor.fetchall()
        for name, constrains, _ in indexes:
            cursor.execute(f"ALTER TABLE score_history DROP CONSTRAINT {name}" if constrains else f"DROP INDEX {name}")
        cursor.execute("SET session_replication_role = replica; SET statement_timeout = 0; SET work_mem = '1GB'")
        cursor.execute(USERS, [players])
        cursor.execute(HISTORY, {"players": players, "entries": entries})
        cursor.execute("SET maintenance_work_mem = '1GB'")
        for name, constrains, definition in indexes:
            cursor.execute(
                f"ALTER TABLE score_history ADD CONSTRAINT {name} {definition}" if constrains else definition
            )
        cursor.execute(TOTALS)
        cursor.execute("RESET ALL")
        for table in ("users", "user_scores", "score_history"):
            cursor.execute(f"VACUUM ANALYZE {table}")


def timed(board: str, at: datetime, offset: int, limit: int) -> float:
    """Milliseconds of one answer, names included."""
    started = time.perf_counter()
    page = past.top(past.find(board, at), limit, offset)
    assert page.players
    return (time.perf_counter() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.past")
    parser.add_argument("--players", type=int, default=1_000_000)
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--questions", type=int, default=60)
    arguments = parser.parse_args()
    call_command("migrate", verbosity=0)
    periods.keep()
    started = time.monotonic()
    history(arguments.players, arguments.entries)
    print(
        f"{arguments.entries:,} entries of {arguments.players:,} players: written in {time.monotonic() - started:.0f} s"
    )
    started = time.monotonic()
    Rule.objects.create(slug="races", title="Races", action_types=["RACE"])
    Rule.objects.create(slug="laps", title="Laps", action_types=["LAP"], value="best", window="weekly")
    periods.keep()
    print(f"an all-time sum of half of them, and the best of a week: filled in {time.monotonic() - started:.0f} s")
    started = time.monotonic()
    while checkpoints.keep():
        pass
    made = BoardCheckpoint.objects.count()
    print(f"{made:,} checkpoints made in {time.monotonic() - started:.0f} s")
    first, last = (
        ScoreHistory.objects.order_by(f"{way}id").values_list("created_at", flat=True)[0] for way in ("", "-")
    )
    asked = [(board, page) for board in ("global", "races", "laps") for page in ((0, 10), (500, 100))]
    taken: dict[tuple[str, tuple[int, int]], list[float]] = defaultdict(list)
    for _ in range(arguments.questions):
        for board, (offset, limit) in asked:
            at = first + timedelta(days=1) + random.random() * (last - first - timedelta(days=1))
            taken[board, (offset, limit)].append(timed(board, at, offset, limit))
    for board in ("global", "races", "laps"):
        started = time.monotonic()
        past.whole(past.find(board, last - timedelta(seconds=1)), 10, 0)
        print(f"{board}, ranks 1 to 10, by the whole history: {time.monotonic() - started:.1f} s")
    for (board, (offset, limit)), answers in taken.items():
        answers.sort()
        print(
            f"{board}, ranks {offset + 1} to {offset + limit}: median {statistics.median(answers):.0f} ms, "
            f"90 % {answers[int(0.9 * len(answers))]:.0f}, worst {answers[-1]:.0f}"
        )


if __name__ == "__main__":
    main()
