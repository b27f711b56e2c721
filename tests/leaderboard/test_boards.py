"""Every read of a board is of the board that is asked about."""

import uuid
from dataclasses import replace

import pytest
from django.db import connection

from accounts.models import User
from leaderboard import boards, ranking, truth
from leaderboard.boards import Board, known
from scoreboard import ledger
from scoreboard.standing import Place
from tests.support.people import give

OTHER = Board("other", "A board without a row", id=2**40)


def test_sql_has_nothing_of_a_board_that_was_never_made(board: Board, alice: User) -> None:
    give(alice, 5)
    assert truth.top(board, 10).players == 1
    assert truth.top(OTHER, 10).players == truth.around(OTHER, alice.pk, 5).players == truth.size(OTHER) == 0
    assert not truth.some(OTHER, [alice.pk])
    assert not truth.known(OTHER, [alice.pk])
    assert not list(truth.everyone(OTHER))


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
        found: list[tuple[int, uuid.UUID]] = cursor.fetchall()
    assert found == [(board.id, alice.pk)]


def test_of_many_places_on_boards_that_are_gone_sql_is_asked_once(
    board: Board, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(alice, 5)
    [standing] = ledger.standings([alice.pk])
    gone = replace(standing, places=tuple(Place(2**40 + n, 5, standing.reached_at, True) for n in range(5)))
    boards.listing()
    looks, look = list[None](), known.look
    monkeypatch.setattr(known, "look", lambda: looks.append(look()))
    assert boards.of_standings([gone, gone]) == {board: [gone, gone]}
    assert looks == [None]
    assert boards.of_standings([standing]) == {board: [standing]}
    assert looks == [None]
