"""Every read of a board is of the board that is asked about."""

import uuid

import pytest
from django.db import connection

from accounts.models import User
from leaderboard import boards, ranking, truth
from leaderboard.boards import Board
from tests.support.people import give

OTHER = Board("other", "A board without a row")


def test_sql_refuses_a_board_it_does_not_know_rather_than_answer_with_another_s(board: Board, alice: User) -> None:
    give(alice, 5)
    assert truth.top(board, 10).players == 1
    for read in (
        lambda: truth.top(OTHER, 10),
        lambda: truth.around(OTHER, alice.pk, 5),
        lambda: truth.some(OTHER, [alice.pk]),
        lambda: truth.known(OTHER, [alice.pk]),
        lambda: next(truth.everyone(OTHER)),
        lambda: truth.size(OTHER),
    ):
        with pytest.raises(KeyError):
            read()


def test_redis_has_nothing_of_a_board_that_was_never_built(board: Board, alice: User) -> None:
    give(alice, 5)
    with pytest.raises(ranking.Lost):
        ranking.top(OTHER, 10)
    with pytest.raises(ranking.Lost):
        ranking.around(OTHER, alice.pk, 5)


def test_the_view_knows_the_boards_that_the_site_knows_and_no_other(board: Board, alice: User) -> None:
    give(alice, 5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT board, user_id FROM board_players")
        found: list[tuple[str, uuid.UUID]] = cursor.fetchall()
    assert found == [(slug, alice.pk) for slug in boards.BOARDS]
