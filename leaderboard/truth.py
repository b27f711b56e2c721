"""The boards from SQL: the fallback while Redis is away, the source of every rebuild, and the judge of every reconcile.

The order here and the filter of the view `board_players` are the definition; Redis's are made to equal them.
"""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from django.db import connection

from leaderboard.boards import Board, Ties
from leaderboard.ranking import Page, Row
from leaderboard.ranking.members import parsed
from scoreboard import changes
from scoreboard.standing import COLUMNS, Standing

EARLIEST_FIRST, LATEST_FIRST = "total DESC, reached_at, user_id DESC", "total DESC, reached_at DESC, user_id DESC"
BY_TOTAL = "OVER (ORDER BY total DESC)"
PLACE = "NULL::bigint AS rank, NULL::bigint AS better"  # the rank is the place in the order
SHARED = f"rank() {BY_TOTAL} AS rank, rank() {BY_TOTAL} - 1 AS better"
# By ties: the order, and where equals share ranks the rank, and how many players rank better. Points are such that the
# higher always do.
ORDER = {
    Ties.EARLIEST.value: {"order": EARLIEST_FIRST, "rank": PLACE},
    Ties.LATEST.value: {"order": LATEST_FIRST, "rank": PLACE},
    Ties.SHARED.value: {"order": EARLIEST_FIRST, "rank": SHARED},
    Ties.DENSE.value: {"order": EARLIEST_FIRST, "rank": f"dense_{SHARED}"},
}
SHOWN = "FROM board_players WHERE board = %(board)s AND shown"
COUNT = f"SELECT count(*) AS players, max(reached_at) AS latest {SHOWN}"
LINE = "user_id, username, total, avatar_url, reached_at, metadata::text"
WHOLE = f"{COLUMNS}, metadata::text"  # a Standing on its board: see `standing_there`
# One statement each, so that the lines, their ranks and the number of players come from one snapshot.
TOP = f"""
SELECT c.players, c.latest, t.* FROM ({COUNT}) c
  LEFT JOIN LATERAL (SELECT {LINE}, {{rank}} {SHOWN} ORDER BY {{order}} LIMIT %(limit)s OFFSET %(offset)s) t ON true
"""  # noqa: S608
AROUND = f"""
WITH ranked AS MATERIALIZED (
    SELECT {LINE}, {{rank}}, row_number() OVER (ORDER BY {{order}}) AS place {SHOWN}
), me AS (SELECT place FROM ranked WHERE user_id = %(user)s)
SELECT c.players, c.latest, r.* FROM (SELECT count(*) AS players, max(reached_at) AS latest FROM ranked) c
  LEFT JOIN (SELECT o.* FROM ranked o, me
              WHERE o.place BETWEEN me.place - %(radius)s AND me.place + %(radius)s ORDER BY o.place) r ON true
"""  # noqa: S608

PLAYERS = "FROM board_players WHERE board = %(board)s AND version > 0"
SOME = f"SELECT {WHOLE} {PLAYERS} AND user_id = ANY (%(users)s)"
KNOWN = f"SELECT user_id::text {PLAYERS} AND user_id = ANY (%(users)s)"
SIZE = f"SELECT count(*) {PLAYERS}"
# A page at a time, in key order: no snapshot is held for as long as a million players take, and every page is fresh.
# The bound stands for both tables: a merge join would otherwise read `users` from its start for every page.
EVERYONE = f"""
SELECT {WHOLE} {PLAYERS} AND user_id {{comparison}} %(last)s AND profile_id {{comparison}} %(last)s
 ORDER BY user_id LIMIT %(limit)s
"""


def top(board: Board, limit: int, offset: int = 0) -> Page:
    """As `ranking.top`, in the same order."""
    found = rows(TOP.format(**ORDER[board.ties]), board, limit=limit, offset=offset)
    return page(board, ((*row, offset + position) for position, row in enumerate(found, start=1)))


def around(board: Board, user_id: uuid.UUID, radius: int) -> Page:
    """As `ranking.around`, in the same order. Reads the whole board: only for while Redis is away."""
    found = rows(AROUND.format(**ORDER[board.ties]), board, user=user_id, radius=radius)
    return page(board, found)


def page(board: Board, found: Iterable[tuple[Any, ...]]) -> Page:
    """A Page from (players, latest, columns…, place); without lines there is one row of NULL columns."""
    lines = list(found)
    players, latest = lines[0][:2]
    shown = [
        Row(
            rank or place,
            str(user_id),
            username,
            board.score(total),
            avatar or None,
            reached_at,
            parsed(metadata),
            better,
        )
        for _, _, user_id, username, total, avatar, reached_at, metadata, rank, better, place in lines
        if user_id is not None
    ]
    return Page(None, None, latest.timestamp() if latest else 0.0, players, shown)


def everyone(board: Board) -> Iterator[list[Standing]]:
    """Every standing there is, shown or not, in chunks. Players who begin meanwhile may or may not be among them."""
    last, comparison = uuid.UUID(int=0), ">="
    while found := rows(EVERYONE.format(comparison=comparison), board, last=last, limit=changes.CHUNK):
        yield [standing_there(row) for row in found]
        last, comparison = found[-1][0], ">"


def some(board: Board, user_ids: list[uuid.UUID]) -> list[Standing]:
    return [standing_there(row) for row in rows(SOME, board, users=user_ids)] if user_ids else []


def standing_there(row: tuple[Any, ...]) -> Standing:
    """From WHOLE."""
    *known, metadata = row
    return replace(Standing(*known), metadata=metadata)


def known(board: Board, user_ids: list[uuid.UUID]) -> set[str]:
    """Those of them that have a standing."""
    return {user_id for (user_id,) in rows(KNOWN, board, users=user_ids)}


def size(board: Board) -> int:
    """How many standings `everyone` will yield."""
    [(players,)] = rows(SIZE, board)
    return int(players)


def rows(sql: str, board: Board, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"board": board.id, **parameters})
        return list(cursor.fetchall())
