"""`GET /score/me` never goes back: it has whatever was committed, also where Redis has not heard of it yet."""

import pytest

from accounts.models import User
from leaderboard import ranking, rebuild
from leaderboard.boards import Board
from tests.agreement import assert_agreement
from tests.client import Api
from tests.people import give
from tests.spoiling import Hand

ME = "/api/v1/score/me"


def test_a_score_whose_projection_was_lost_is_in_its_players_next_read_and_on_the_board(
    board: Board, api: Api, alice: User, bob: User
) -> None:
    give(bob, 30)
    give(alice, 20)
    give(alice, 20, announced=False)
    assert [row.score for row in ranking.top(board, 10).rows] == [30, 20]  # the control: the board does not have it

    mine = api.get(ME, alice).json()["data"]
    assert (mine["score"], mine["rank"], mine["players"], mine["percentile"]) == (40, 1, 2, 100.0)
    assert_agreement(board)


def test_the_first_score_of_all_and_being_hidden_are_no_exceptions(board: Board, api: Api, alice: User) -> None:
    give(alice, 20, announced=False)
    assert api.get(ME, alice).json()["data"]["rank"] == 1
    User.objects.filter(pk=alice.pk).update(is_hidden=True)
    mine = api.get(ME, alice).json()["data"]
    assert (mine["score"], mine["rank"]) == (20, None)
    assert_agreement(board)


def test_a_board_that_is_newer_than_what_was_read_is_believed(board: Board, alice: User) -> None:
    """A score that is committed and projected between the two looks."""
    give(alice, 20)
    assert ranking.around(board, alice.pk, 0, at_least=0).rows[0].score == 20
    assert ranking.around(board, alice.pk, 0, at_least=1).rows[0].score == 20
    with pytest.raises(ranking.Behind):
        ranking.around(board, alice.pk, 0, at_least=2)


def test_a_board_that_takes_no_repair_is_not_believed(
    board: Board, api: Api, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(alice, 20)
    give(alice, 20, announced=False)
    hand = Hand(board, alice)
    hand.redis.hdel(hand.keys.meta, "epoch")
    monkeypatch.setattr(rebuild, "in_background", lambda board: None)
    mine = api.get(ME, alice).json()["data"]
    assert (mine["score"], mine["rank"]) == (40, 1)
