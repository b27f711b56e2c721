"""Who is on the board in tests of one player among others."""

import pytest

from accounts.models import User
from leaderboard.boards import Board
from tests.support.people import give, player, players


@pytest.fixture
def victim(board: Board) -> User:
    """One among a few, with 50 points."""
    for position, user in enumerate(players(4)):
        give(user, 48 + position)
    victim = player("victim")
    give(victim, 50)
    return victim
