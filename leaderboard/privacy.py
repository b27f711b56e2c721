"""What the boards in Redis hold about one person, and how to be sure that it is gone."""

import uuid
from typing import Any

from accounts.models import User
from leaderboard import boards, projection
from leaderboard.ranking import inspection
from scoreboard import ledger


def export(user: User) -> dict[str, Any]:
    """By board: the rank's total and the profile as Redis has them. Raises ranking.Unavailable."""
    found = {}
    for board in boards.everyone():
        if board.truth or board.visibility == boards.Visibility.HIDDEN:
            continue  # the player sees the boards as others do
        [entry] = inspection.entries(board, [str(user.pk)])
        found[board.name] = {"total": entry.total, "profile": entry.profile}
    return {"boards": found}


def erase(user_id: uuid.UUID) -> None:
    """Tells every board how an erased player stands, which is nowhere. Raises ranking.Unavailable.

    The write side has announced it already; but what it announced while Redis was away is only repaired by the sweep.
    """
    projection.project(ledger.standings([user_id]))
