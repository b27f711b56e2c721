"""A board of a million for the reconcile benchmark: players with their history, set-based, and a way to spoil Redis."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

USERS = """
INSERT INTO users (id, password, is_superuser, username, email, is_staff, is_active, date_joined, avatar_url, region,
                   role, is_hidden, session_key)
SELECT gen_random_uuid(), '!', false, 'bench-' || n, n || '@bench.invalid', false, true, now(), '', '', 'player', false,
       gen_random_uuid()
  FROM generate_series(%s::bigint, %s::bigint) n
"""
# Two entries each, as the ledger writes them: 0 → a → a + b.
SCORES = """
UPDATE user_scores
   SET version = 2, reached_at = now() - random() * interval '300 days',
       changed_xid = pg_current_xact_id()::text::bigint
 WHERE version = 0
"""
HISTORY = """
WITH fresh AS MATERIALIZED (
    SELECT user_id, reached_at, 1 + (random() * 100000)::bigint AS a, 1 + (random() * 1000)::bigint AS b
      FROM user_scores WHERE total = 0
), totals AS (
    UPDATE user_scores s SET total = f.a + f.b FROM fresh f WHERE f.user_id = s.user_id
)
INSERT INTO score_history (user_id, action_id, source, action_type, delta, old_total, new_total, version, reason,
                           request_id, created_at)
SELECT f.user_id, gen_random_uuid(), 'bonus', '', e.delta, e.old, e.old + e.delta, e.version, '', '', f.reached_at
  FROM fresh f, LATERAL (VALUES (f.a, 0::bigint, 1), (f.b, f.a, 2)) e (delta, old, version)
"""


@contextmanager
def database(server: str, name: str) -> Iterator[str]:
    """The URL of a new database on the server; it is gone when the block is left."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def populate(url: str, have: int, want: int) -> None:
    """Players number have + 1 to `want`."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(USERS, [have + 1, want])
        connection.execute(SCORES)
        connection.execute(HISTORY)
        for table in ("users", "user_scores", "score_history"):
            connection.execute(f"VACUUM ANALYZE {table}")


def points(url: str) -> int:
    """All that anybody has."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT coalesce(sum(total), 0)::bigint FROM user_scores").fetchone()
    return int(found[0]) if found else 0


def spoil(redis: Any, key: str, version: int, one_in: int) -> int:
    """Gives every `one_in`th player another version in Redis: 0 is stale, a high one is what an older backup leaves
    behind. Returns how many."""
    cursor, seen, spoiled = -1, 0, 0
    while cursor != 0:
        cursor, found = redis.hscan(key, max(cursor, 0), count=2000)
        changed = {}
        for field, entry in found.items():
            seen += 1
            if seen % one_in == 0:
                changed[field] = b"%d:%s" % (version, entry.partition(b":")[2])
        if changed:
            redis.hset(key, mapping=changed)
            spoiled += len(changed)
    return spoiled
