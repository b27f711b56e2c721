"""Reconcile beside live traffic: it loses no concurrent write and calls none of them drift."""

from typing import Any

import pytest

from leaderboard import ranking, reconcile
from leaderboard.boards import Board
from leaderboard.ranking import inspection
from tests.leaderboard.writers import writers
from tests.support.agreement import assert_agreement
from tests.support.people import give, player, players
from tests.support.processes import eventually
from tests.support.spoiling import DRIFTS, Hand, newer, nonsense, older


def test_a_check_beside_eight_writers_at_full_speed_finds_no_drift(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 4.0)  # on a busy machine a writer may sleep before it tells Redis
    crowd = players(40)
    with writers(8, crowd):
        for _ in range(4):
            assert reconcile.reconcile(board, check=True).drift == 0
    assert_agreement(board)


def test_a_repair_beside_writers_of_the_same_players_loses_no_concurrent_write(board: Board) -> None:
    crowd = players(6)
    for user in crowd:
        give(user, 50)
    repaired, round_ = 0, 0
    with writers(4, crowd):
        while repaired < 3 or round_ < 6:
            for offset, spoil in enumerate(DRIFTS.keys() - {nonsense}):  # with which a write makes the board lost
                Hand(board, crowd[(round_ + offset) % len(crowd)]).spoil_beside_writers(spoil)
            repaired += reconcile.reconcile(board).repaired
            round_ += 1
    # A writer may still be ahead of what was spoiled last, or rebuild a board whose keys differ in size by now.
    eventually(lambda: reconcile.reconcile(board).drift == 0, "all agree")
    assert_agreement(board)


def test_a_write_between_reading_sql_and_the_repair_wins(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """The narrowest gap: SQL was read, the player scores, the repair of the old standing arrives."""
    victim = player()
    give(victim, 10)
    newer(Hand(board, victim))  # live writes lose against this entry until it is repaired
    real = inspection.replace

    def overtaken(*arguments: Any) -> list[bool]:
        give(victim, 5)
        return real(*arguments)

    monkeypatch.setattr(inspection, "replace", overtaken)
    reconcile.reconcile(board)
    assert_agreement(board)


def test_a_write_that_lands_before_the_repair_is_not_overwritten(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = player()
    give(victim, 10)
    older(Hand(board, victim))
    real = inspection.replace

    def overtaken(*arguments: Any) -> list[bool]:
        give(victim, 5)
        applied = real(*arguments)
        assert ranking.top(board, 1).rows[0].score == 15
        return applied

    monkeypatch.setattr(inspection, "replace", overtaken)
    reconcile.reconcile(board)
    assert_agreement(board)
