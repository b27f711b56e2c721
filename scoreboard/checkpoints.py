"""Checkpoints of boards: how they stood at instants that are over, made forward through the history.

A board as of any instant is counted from the one before it (sql/checkpoints.sql). So also of boards that were made
later than their history: theirs are made in the background, a bounded step and a transaction at a time.
"""

import time
from datetime import datetime

import structlog
from django.db import connection, transaction

from scoreboard import periods

log = structlog.get_logger(__name__)

ENTRIES = 5_000  # of the history, between two checkpoints
BEST = 1_000  # players in each
SECONDS = 5.0  # of one visit: the next goes on

DUE = """
SELECT w.board, w.part
  FROM (SELECT 0::bigint AS board, '' AS part
         UNION
        SELECT p.board_id, p.part FROM board_periods p JOIN boards b ON b.id = p.board_id WHERE NOT b.paused) w
  LEFT JOIN LATERAL (SELECT c.last_id FROM board_checkpoints c WHERE c.board_id = w.board AND c.part = w.part
                      ORDER BY c.at DESC LIMIT 1) c ON true
 WHERE coalesce(c.last_id, 0) + %s <= (SELECT max(h.id) FROM score_history h)
 ORDER BY w.board, w.part
"""
NEXT = "SELECT checkpoint_next(%s, %s, %s, %s, %s)"
CHECK = "SELECT checkpoint_check()"


def keep(entries: int = ENTRIES, best: int = BEST) -> int:
    """Makes those that are due, of each board one by turns, and returns how many. Safe to repeat and to interrupt."""
    until = periods.clock()
    with connection.cursor() as cursor:
        cursor.execute(DUE, [entries])
        due = cursor.fetchall()
    # Every transaction that may still enter something earlier has ended: what a checkpoint says stays true.
    if not due or not periods.settled():
        return 0
    made, deadline = 0, time.monotonic() + SECONDS
    while due and time.monotonic() < deadline:
        due = [(board, part) for board, part in due if step(board, part, until, entries, best)]
        made += len(due)
    return made


def step(*asked: int | str | datetime) -> bool:
    """Makes the next checkpoint of a board; False when there is none to be made."""
    return run(NEXT, *asked)


def check() -> bool:
    """Counts one checkpoint, any of them, from the whole history. Those of its board are made again if it is wrong."""
    right = run(CHECK)
    if not right:
        log.error("checkpoint_wrong", reason="it was not what the history says")
    return right


def run(sql: str, *parameters: int | str | datetime) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(sql, parameters)
        [answer] = cursor.fetchone()
        return bool(answer)
