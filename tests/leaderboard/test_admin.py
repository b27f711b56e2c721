"""The rank beside each user in admin: the board's own."""

import pytest

from accounts.models import User
from accounts.visibility import set_hidden
from api import redis_client
from leaderboard import boards
from leaderboard.boards import Board
from tests.support.admin_site import USERS, change_page, signed_in, superuser
from tests.support.people import give
from tests.support.spoiling import Hand, infinite

pytestmark = pytest.mark.django_db(transaction=True)


def ranks() -> dict[str, object]:
    page = signed_in(superuser()).get(USERS)
    return {user.username: user.rank for user in page.context["cl"].result_list}


def test_the_list_shows_the_boards_ranks(board: Board, alice: User, bob: User) -> None:
    give(alice, 5)
    give(bob, 7)
    assert ranks() == {"bob": 1, "alice": 2, "root": None}


def test_a_hidden_player_has_none(board: Board, alice: User, bob: User) -> None:
    give(alice, 5)
    give(bob, 7)
    set_hidden([bob.pk], hidden=True)
    assert ranks() == {"bob": None, "alice": 1, "root": None}


def test_a_users_page_shows_it_too(board: Board, alice: User, bob: User) -> None:
    give(alice, 5)
    give(bob, 7)
    root = superuser()
    site = signed_in(root)
    assert b'<div class="readonly">2</div>' in site.get(change_page(alice)).content
    assert b"not on the board" in site.get(change_page(root)).content


def test_a_lost_board_is_said_to_be_unknown(board: Board, alice: User) -> None:
    give(alice, 5)
    redis_client.connection().delete(*boards.keys(board).all())
    assert ranks() == {"alice": "?", "root": "?"}


def test_a_total_that_is_no_number_of_points_is_as_unknown(board: Board, alice: User) -> None:
    give(alice, 5)
    infinite(Hand(board, alice))
    assert ranks() == {"alice": "?", "root": "?"}
