"""Fixtures of boards."""

from collections.abc import Callable
from typing import Any

import pytest

from leaderboard.boards import Board
from scoreboard import periods
from tests.boards.drawn import rebuilt
from tests.support.database import empty
from tests.support.fixtures import forget_boards, forget_keys
from tests.support.people import site_key


@pytest.fixture
def afresh(board: Board, settings: Any) -> Callable[[], None]:
    """An empty site, as each example needs one."""

    def begin() -> None:
        empty()
        forget_keys(f"{settings.REDIS_KEY_PREFIX}lb:")
        forget_boards()
        rebuilt(board)

    return begin


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who closes comes back soon rather than wait."""
    monkeypatch.setattr(periods, "PATIENCE_SECONDS", 0.2)


@pytest.fixture
def key() -> dict[str, str]:
    return site_key("boards")
