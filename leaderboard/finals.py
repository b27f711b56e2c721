"""How closed periods came out: from SQL, as they were kept, for ever.

Hidden and erased players are left out as of now, and no other moves up: a rank that was reached stays, and so does the
number of players. What was taken back later stands beside it, by the rule as it is now.
"""

import uuid
from collections import defaultdict
from dataclasses import replace
from typing import Any

from django.db import connection

from leaderboard.boards import Board
from leaderboard.ranking import LateCorrection, Page, Row
from leaderboard.ranking.members import parsed

SHOWN = """
  FROM final_standings f JOIN users u ON u.id = f.user_id WHERE f.period_id = %(board)s AND player_visible(u)
"""
LINE = "f.rank, f.user_id, player_name(u), f.points, u.avatar_url, f.reached_at, f.metadata::text"
# Of the player who is asked for, since a dense rank does not say it.
BETTER = """
CASE WHEN f.user_id = %(user)s
     THEN (SELECT count(*) FROM final_standings b WHERE b.period_id = f.period_id AND b.rank < f.rank) END
"""
COUNT = "SELECT count(*) FROM final_standings WHERE period_id = %(board)s"
TOP = f"SELECT {LINE} {SHOWN} ORDER BY f.place LIMIT %(limit)s OFFSET %(offset)s"
PLACE = "(SELECT place FROM final_standings WHERE period_id = %(board)s AND user_id = %(user)s)"
AROUND = f"""
SELECT {LINE}, {BETTER} {SHOWN}
   AND f.place BETWEEN {PLACE} - %(radius)s AND {PLACE} + %(radius)s
   AND EXISTS (SELECT FROM users me WHERE me.id = %(user)s AND player_visible(me))
 ORDER BY f.place
"""  # noqa: S608
CORRECTIONS = """
SELECT e.user_id, e.points * board_sign(b), CASE b.value WHEN 'sum' THEN e.remaining * board_sign(b) ELSE 0 END,
       e.reversed_at
  FROM board_periods p JOIN boards b ON b.id = p.board_id
 CROSS JOIN LATERAL board_entries(b, p.part, p.starts_at, p.ends_at - interval '1 microsecond', %(users)s) e
 WHERE p.id = %(board)s AND e.reversed_at > p.closed_at
   AND e.id IN (SELECT c.id FROM board_counted(b, p.part, p.starts_at, p.ends_at - interval '1 microsecond', %(users)s,
                                               p.closed_at) c)
 ORDER BY e.reversed_at, e.id
"""


def top(board: Board, limit: int, offset: int = 0) -> Page:
    """As `truth.top`, of a closed period."""
    return page(board, TOP, limit=limit, offset=offset)


def around(board: Board, user_id: uuid.UUID, radius: int) -> Page:
    """As `truth.around`, of a closed period."""
    return page(board, AROUND, user=user_id, radius=radius)


def page(board: Board, sql: str, **parameters: Any) -> Page:
    given = {"board": board.id, **parameters}
    with connection.cursor() as cursor:
        cursor.execute(COUNT, given)
        [players] = cursor.fetchone()
        cursor.execute(sql, given)
        rows = [
            Row(rank, str(user_id), username, points, avatar or None, reached_at, parsed(metadata), *better)
            for rank, user_id, username, points, avatar, reached_at, metadata, *better in cursor.fetchall()
        ]
        late = defaultdict(list)
        cursor.execute(CORRECTIONS, {**given, "users": [uuid.UUID(row.user_id) for row in rows]})
        for user_id, *correction in cursor.fetchall():
            late[str(user_id)].append(LateCorrection(*correction))
    rows = [replace(row, late_corrections=tuple(late[row.user_id])) if row.user_id in late else row for row in rows]
    return Page(None, None, board.closed_at.timestamp() if board.closed_at else 0.0, players, rows)
