"""Hiding and showing: of many at once, beside each other, without a deadlock."""

import random
import uuid

import pytest

from accounts.models import User
from accounts.visibility import save_profile, set_hidden
from leaderboard import ranking
from leaderboard.boards import Board
from scoreboard.models import UserScore
from tests.support.agreement import assert_agreement
from tests.support.people import give, players
from tests.support.races import at_once

pytestmark = pytest.mark.django_db


def test_only_those_who_change_are_returned(alice: User, bob: User) -> None:
    assert set_hidden([alice.pk, uuid.uuid4()], hidden=True) == [alice.pk]
    assert set(set_hidden([alice.pk, bob.pk], hidden=True)) == {bob.pk}
    assert set(set_hidden([alice.pk, bob.pk], hidden=False)) == {alice.pk, bob.pk}
    assert set_hidden([], hidden=False) == []


def test_a_profile_that_boards_do_not_show_raises_no_version(alice: User) -> None:
    give(alice, 5)
    alice.email = "new@example.org"
    save_profile(alice, ["email"])
    assert UserScore.objects.get(pk=alice.pk).version == 1


@pytest.mark.django_db(transaction=True)
def test_hiding_many_takes_all_of_them_off_the_board(board: Board) -> None:
    people = players(50)
    for position, user in enumerate(people, start=1):
        give(user, position)
    set_hidden([user.pk for user in people[10:]], hidden=True)
    assert ranking.top(board, 100).players == 10
    assert_agreement(board)


@pytest.mark.django_db(transaction=True)
def test_hiding_scoring_and_showing_the_same_players_at_one_moment_ends_in_agreement(board: Board) -> None:
    people = players(20)
    for user in people:
        give(user, 1)

    def meddle(number: int) -> None:
        order = random.Random(number).sample(people, len(people))
        match number % 3:
            case 0:
                set_hidden([user.pk for user in order], hidden=True)
            case 1:
                set_hidden([user.pk for user in order], hidden=False)
            case _:
                for user in order:
                    give(user, 1)

    assert at_once(12, meddle) == [None] * 12
    assert set(UserScore.objects.values_list("total", flat=True)) == {5}
    assert_agreement(board)
