"""Reading a board: Redis first, SQL in exactly the same order when Redis is away or has lost the board."""

import uuid
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import connection

from api.metrics import CACHE_READS
from leaderboard import ranking, rebuild, truth
from leaderboard.boards import Board
from leaderboard.ranking import Page

log = structlog.get_logger(__name__)

PLAYER = """
SELECT u.username, coalesce(s.total, 0), s.reached_at, u.is_active AND NOT u.is_hidden
  FROM users u LEFT JOIN user_scores s ON s.user_id = u.id WHERE u.id = %s
"""


@dataclass(frozen=True, slots=True)
class PlayerStanding:
    """One player's own line. `rank` and `percentile` are None for one who is not on the board.

    `percentile`: the share, in percent, of the other players who rank below.
    """

    user_id: str
    username: str
    score: int
    rank: int | None
    players: int
    percentile: float | None
    updated_at: datetime | None


def top(board: Board, limit: int, offset: int = 0) -> Page:
    """Ranks offset+1 … offset+limit. Raises OperationalError when Redis and PostgreSQL are both away."""
    try:
        page = ranking.top(board, limit, offset)
        CACHE_READS.labels("redis").inc()
        return page
    except (ranking.Unavailable, ranking.Lost) as reason:
        fall_back(board, reason)
        return truth.top(board, limit, offset)


def around(board: Board, user_id: uuid.UUID, radius: int) -> Page:
    """The player and the neighbours; no rows for a player who is not on the board."""
    try:
        page = ranking.around(board, user_id, radius)
        CACHE_READS.labels("redis").inc()
        return page
    except (ranking.Unavailable, ranking.Lost) as reason:
        fall_back(board, reason)
        return truth.around(board, user_id, radius)


def fall_back(board: Board, reason: Exception) -> None:
    """Counts a read that SQL must serve; a lost board starts its own rebuild."""
    CACHE_READS.labels("sql").inc()
    if isinstance(reason, ranking.Lost):
        rebuild.in_background(board)


def player(board: Board, user_id: uuid.UUID, *, hidden_too: bool = False) -> PlayerStanding | None:
    """The player's standing; None for an unknown user and, unless `hidden_too`, for a hidden or disabled one."""
    page = around(board, user_id, 0)
    if page.rows:
        [row] = page.rows
        return PlayerStanding(
            user_id=row.user_id,
            username=row.username,
            score=row.score,
            rank=row.rank,
            players=page.players,
            percentile=percentile(row.rank, page.players),
            updated_at=row.reached_at,
        )
    with connection.cursor() as cursor:
        cursor.execute(PLAYER, [user_id])
        found = cursor.fetchone()
    if found is None or not (found[3] or hidden_too):
        return None
    username, total, reached_at, _ = found
    return PlayerStanding(str(user_id), username, total, None, page.players, None, reached_at if total else None)


def percentile(rank: int, players: int) -> float:
    return 100.0 if players <= 1 else round(100 * (players - rank) / (players - 1), 2)
