"""Reading a board: Redis first, SQL in exactly the same order when Redis is away or has lost the board."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import connection

from leaderboard import boards, catch_up, finals, ranking, rebuild, truth
from leaderboard.boards import Board
from leaderboard.metrics import CACHE_READS
from leaderboard.ranking import Page
from leaderboard.ranking.members import Metadata
from scoreboard import entrants
from scoreboard.standing import Standing

log = structlog.get_logger(__name__)

PLAYER = """
SELECT player_name(u), CASE WHEN %(board)s = 0 THEN s.total ELSE coalesce(f.points, t.points * %(sign)s, 0) END,
       CASE WHEN %(board)s = 0 THEN s.reached_at ELSE coalesce(f.reached_at, t.reached_at) END, player_visible(u)
  FROM users u JOIN user_scores s ON s.user_id = u.id
  LEFT JOIN standings t ON t.period_id = %(board)s AND t.user_id = u.id
  LEFT JOIN final_standings f ON f.period_id = %(board)s AND f.user_id = u.id WHERE u.id = %(user)s
"""

ATTEMPTS = "SELECT attempts_left FROM standings WHERE period_id = %s AND user_id = %s"


@dataclass(frozen=True, slots=True)
class PlayerStanding:
    """One player's own line. `rank` and `percentile` are None for one who is not on the board.

    `percentile`: the share, in percent, of the other players who do not rank better.
    """

    user_id: str
    username: str
    score: int
    rank: int | None
    players: int
    percentile: float | None
    updated_at: datetime | None
    metadata: Metadata | None = None

    @property
    def data(self) -> dict[str, Any]:
        """As the API says it."""
        said = asdict(self)
        if self.metadata is None:
            del said["metadata"]
        return said


def top(board: Board, limit: int, offset: int = 0) -> Page:
    """Ranks offset+1 … offset+limit. Raises OperationalError when Redis and PostgreSQL are both away."""
    if board.closed_at:
        return finals.top(board, limit, offset)
    return served(board, lambda: ranking.top(board, limit, offset), lambda: truth.top(board, limit, offset))


def around(board: Board, user_id: uuid.UUID, radius: int) -> Page:
    """The player and the neighbours; no rows for a player who is not on the board."""
    if board.closed_at:
        return finals.around(board, user_id, radius)
    return served(board, lambda: ranking.around(board, user_id, radius), lambda: truth.around(board, user_id, radius))


def served(board: Board, redis: Callable[[], Page], sql: Callable[[], Page]) -> Page:
    """The page of Redis, or where that cannot serve of SQL, counted; a lost board starts its own rebuild."""
    try:
        catch_up.demand()
        page = redis()
        CACHE_READS.labels("redis").inc()
        return page
    except (ranking.Unavailable, ranking.Lost, ranking.Behind) as reason:
        CACHE_READS.labels("sql").inc()
        if isinstance(reason, ranking.Lost):
            rebuild.in_background(board)
        return sql()


def player(board: Board, user_id: uuid.UUID) -> PlayerStanding | None:
    """The player's standing, as the board has it; None for an unknown, a hidden or a disabled user."""
    page = around(board, user_id, 0)
    return ranked(page) if page.rows else unranked(board, page, user_id)


def mine(board: Board, user_id: uuid.UUID) -> PlayerStanding | None:
    """The player's own standing, hidden or not, which never goes back: it has whatever was committed before this call.

    Redis may lack the newest score: for the moment between commit and projection, and after a crash until the sweep.
    Then it is told here. None for an unknown user.
    """
    if board.closed_at:
        page = finals.around(board, user_id, 0)
    else:
        newest = truth.some(board, [user_id])
        page = served(board, lambda: up_to_date(board, user_id, newest), lambda: truth.around(board, user_id, 0))
    return ranked(page) if page.rows else unranked(board, page, user_id, hidden_too=True)


def own(board: Board, user_id: uuid.UUID) -> dict[str, int | bool]:
    """What a board says to its player alone, as it is shown: whether the player has joined it, where players do, and
    how many entries may still count, where that is limited and the period is open."""
    rule = boards.rule(board.slug)
    found: dict[str, int | bool] = {}
    if rule is not None and rule.entry == rule.Entry.JOIN:
        found["joined"] = entrants.joined(rule.pk, user_id)
    if rule is not None and rule.attempts is not None and not board.closed_at:
        with connection.cursor() as cursor:
            cursor.execute(ATTEMPTS, [board.id, user_id])
            [left] = cursor.fetchone() or [None]
        found["attempts_left"] = rule.attempts if left is None else left
    return found


def up_to_date(board: Board, user_id: uuid.UUID, newest: Sequence[Standing]) -> Page:
    """The player's line from a board that knows `newest`, or something newer. Raises Unavailable, Lost, Behind."""
    least = max((one.version for one in newest), default=0)
    try:
        return ranking.around(board, user_id, 0, at_least=least)
    except ranking.Behind:
        ranking.write(board, newest)
        return ranking.around(board, user_id, 0, at_least=least)


def ranked(page: Page) -> PlayerStanding:
    """The standing of the one player on the page."""
    [row] = page.rows
    return PlayerStanding(
        user_id=row.user_id,
        username=row.username,
        score=row.score,
        rank=row.rank,
        players=page.players,
        percentile=percentile(row.rank - 1 if row.better is None else row.better, page.players),
        updated_at=row.reached_at,
        metadata=row.metadata,
    )


def unranked(board: Board, page: Page, user_id: uuid.UUID, *, hidden_too: bool = False) -> PlayerStanding | None:
    """The standing of one who is not on the board; None for an unknown user and, unless `hidden_too`, a hidden one."""
    with connection.cursor() as cursor:
        cursor.execute(PLAYER, {"board": board.id, "user": user_id, "sign": board.score(1)})
        found = cursor.fetchone()
    if found is None or not (found[3] or hidden_too):
        return None
    username, score, reached_at, _ = found
    return PlayerStanding(str(user_id), username, score, None, page.players, None, reached_at if score else None)


def percentile(better: int, players: int) -> float:
    """`better`: how many of the players rank better."""
    return 100.0 if players <= 1 else round(100 * (players - 1 - better) / (players - 1), 2)
