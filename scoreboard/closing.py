"""What closing a period has given its players: kept for them, and told to their open pages as it is given."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from django.db import connection
from django.db.models import QuerySet

from accounts.models import User
from scoreboard.models import Board, PlayerNotice

log = structlog.get_logger(__name__)

AT_ONCE = 500
# Who takes one tells it: no page is told twice. Of one whose process ends in between no page is told; it is kept.
UNTOLD = """
UPDATE player_notices n SET told = true
  FROM board_periods p, boards b, users u
 WHERE n.id IN (SELECT id FROM player_notices WHERE NOT told ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
   AND p.id = n.period_id AND b.id = p.board_id AND u.id = n.user_id
RETURNING n.user_id, concat_ws('.', b.slug, nullif(p.part, '')), p.key, n.rank, n.text,
          b.visibility <> 'hidden' AND NOT b.paused AND player_visible(u)
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A notice as a player's open pages are told it. `board`: as the API knows it."""

    user_id: uuid.UUID
    board: str
    period: str
    rank: int
    text: str


def nobody(notices: Sequence[Told]) -> None:
    """Where no live side is."""


_teller: Callable[[Sequence[Told]], None] = nobody


def set_teller(teller: Callable[[Sequence[Told]], None]) -> None:
    """`teller` tells open pages; it raises nothing. Set by the app that has them."""
    global _teller
    _teller = teller


def tell() -> int:
    """Has open pages told what was given since the last call; returns how many notices that were."""
    told = 0
    while taken := take():
        _teller([notice for notice in taken if notice])
        told += len(taken)
    if told:
        log.info("notices_told", notices=told)
    return told


def take() -> list[Told | None]:
    """The next that no page was told; None for one that is not to be told any more."""
    with connection.cursor() as cursor:
        cursor.execute(UNTOLD, [AT_ONCE])
        return [Told(*notice) if shown else None for *notice, shown in cursor.fetchall()]


def notices(user: User) -> QuerySet[PlayerNotice]:
    """The player's own; of boards that are hidden or paused now there are none."""
    shown = PlayerNotice.objects.filter(user=user, period__board__paused=False)
    return shown.exclude(period__board__visibility=Board.Visibility.HIDDEN).select_related("period__board")
