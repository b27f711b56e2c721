"""The judge of the read side: what SQL says the board is, against every way of reading it from Redis."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection as database

from api import redis_client
from leaderboard import boards, ranking, reads, truth
from leaderboard.boards import Board
from leaderboard.ranking import Row

# Written out once more on purpose: a judge that shares the code of the accused proves nothing.
LINES = """
SELECT row_number() OVER (ORDER BY s.total DESC, s.reached_at ASC, s.user_id DESC),
       s.user_id::text,
       CASE WHEN u.display_name <> '' THEN u.display_name
            WHEN u.provider = 'local' THEN u.username ELSE 'Player ' || right(u.id::text, 4) END,
       s.total, nullif(u.avatar_url, ''),
       s.reached_at, s.version
  FROM user_scores s JOIN users u ON u.id = s.user_id
 WHERE s.total > 0 AND u.is_active AND NOT u.is_hidden AND NOT u.opted_out
 ORDER BY 1
"""


def sql_lines() -> list[tuple[Any, ...]]:
    """(rank, user id, username, total, avatar, reached_at, version) of everyone a board shows, in order."""
    with database.cursor() as cursor:
        cursor.execute(LINES)
        return list(cursor.fetchall())


def sql_rows() -> list[Row]:
    return [Row(*line[:6]) for line in sql_lines()]


def dump(board: Board) -> Mapping[str, Any]:
    """Every key of the board with its whole content, for comparing before and after."""
    keys = boards.keys(board)
    redis = redis_client.connection()
    return {
        "rank": redis.zrange(keys.rank, 0, -1, withscores=True),
        "player": redis.hgetall(keys.player),
        "profile": redis.hgetall(keys.profile),
        "meta": redis.hgetall(keys.meta),
        "lock": redis.get(keys.lock),
    }


def assert_agreement(board: Board) -> None:
    """Redis equals SQL exactly: order, totals, members, profiles, versions, players; and all readers say so."""
    lines = sql_lines()
    rows = [Row(*line[:6]) for line in lines]
    content = dump(board)

    held = [(raw.decode()[16:], int(total)) for raw, total in reversed(content["rank"])]
    assert held == [(row.user_id, row.score) for row in rows]

    profiles = {user_id.decode(): json.loads(shown) for user_id, shown in content["profile"].items()}
    assert profiles == {row.user_id: {"username": row.username, "avatar": row.avatar} for row in rows}

    entries = {user_id.decode(): raw.decode().partition(":") for user_id, raw in content["player"].items()}
    placed = {user_id: (int(version), member) for user_id, (version, _, member) in entries.items() if member}
    members = {raw.decode()[16:]: raw.decode() for raw, _ in content["rank"]}
    assert placed == {line[1]: (line[6], members[line[1]]) for line in lines}

    pages = [ranking.top(board, 50, offset) for offset in range(0, max(len(rows), 1), 50)]
    assert [row for page in pages for row in page.rows] == rows
    assert {page.players for page in pages} == {len(rows)}
    fallback = truth.top(board, 2**31 - 1)
    assert (fallback.rows, fallback.players) == (rows, len(rows))


def assert_neighbours(board: Board, radius: int) -> None:
    """Around-me is a window of the board, from Redis and from SQL alike, for everyone."""
    rows = sql_rows()
    for position, row in enumerate(rows):
        window = rows[max(0, position - radius) : position + radius + 1]
        for page in (reads.around(board, UUID(row.user_id), radius), truth.around(board, UUID(row.user_id), radius)):
            assert page.rows == window
            assert page.players == len(rows)


def shown(rows: list[Row]) -> list[dict[str, Any]]:
    """Lines as the API and the push are to send them."""
    return [
        {
            "rank": row.rank,
            "user_id": row.user_id,
            "username": row.username,
            "score": row.score,
            "avatar": row.avatar,
        }
        for row in rows
    ]
