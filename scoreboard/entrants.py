"""Who is on a board that players join: they join and leave it, with everything that its open periods hold.

Membership is as of now, as hiding is: what is closed stays as it came out, and a board at a past instant is that of who
has joined by now.
"""

import uuid
from contextlib import suppress

from django.db import connection, transaction

from accounts.models import User
from api.problems import Problem
from scoreboard import ledger, periods
from scoreboard.models import Board, BoardEntrant

ENTRY = "SELECT board_entry(%s, %s, %s)"


def join(board: Board, player: User) -> bool:
    """Whether the player had not joined before. Raises Problem not-joinable, forbidden of staff, player-disabled,
    not-found."""
    demand_entry(board)
    if board.paused or over(board):
        raise Problem("not-joinable", "This board is paused." if board.paused else "This board is over.")
    if player.role != User.Role.PLAYER:
        raise ledger.refusal("staff")
    if not player.is_active:
        raise Problem("player-disabled", "The player is disabled or banned here.")
    return enter(board.pk, player.pk, joins=True)


def leave(board: Board, player: User) -> bool:
    """Whether the player had joined. Raises Problem not-joinable of a board that is open to all, not-found."""
    demand_entry(board)
    return enter(board.pk, player.pk, joins=False)


def leave_all(player: uuid.UUID) -> None:
    """Also boards that are open to all by now."""
    for board in list(BoardEntrant.objects.filter(user_id=player).values_list("board_id", flat=True)):
        with suppress(Problem):  # it is gone, and everybody with it
            enter(board, player, joins=False)


def demand_entry(board: Board) -> None:
    if board.entry != Board.Entry.JOIN:
        raise Problem("not-joinable", "Everybody is on this board: there is nothing to join or to leave.")


def over(board: Board) -> bool:
    return board.closes_at is not None and board.closes_at <= periods.clock()


def enter(board: int, player: uuid.UUID, *, joins: bool) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(ENTRY, [board, player, joins])
        [changed] = cursor.fetchone()
    if changed is None:
        raise Problem("not-found", "There is no such board.")
    if changed:
        ledger.announce_players([player])
    return bool(changed)


def joined(board: int, player: uuid.UUID) -> bool:
    return BoardEntrant.objects.filter(board_id=board, user_id=player).exists()
