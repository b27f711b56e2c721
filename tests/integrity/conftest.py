"""Fixtures of the watch: real tables, a board, and a reviewer."""

import pytest

from accounts.models import User
from leaderboard.boards import Board
from tests.support.people import player


@pytest.fixture
def reviewer(db: None) -> User:
    """An admin who is not a superuser."""
    return player("rita", role=User.Role.ADMIN, is_staff=True)


@pytest.fixture
def watched(board: Board) -> Board:
    """Committed tables, an empty board, the catalogue, no flags."""
    return board
