"""A player scores for the first time at the moment in which they are hidden, renamed, disabled or erased.

The row of the total, made with the user, keeps the two apart.
"""

import threading
from collections.abc import Callable

import pytest
from django.db import transaction

from accounts import identity_data
from accounts.models import User
from accounts.visibility import save_profile, set_hidden
from leaderboard import sweep, truth
from leaderboard.boards import Board
from scoreboard.models import UserScore
from tests.support.agreement import assert_agreement
from tests.support.people import give
from tests.support.processes import PATIENCE, eventually
from tests.support.races import at_once, blocking, none_failed

pytestmark = pytest.mark.django_db(transaction=True)


def renamed(user: User) -> None:
    user.username = "somebody else"
    save_profile(user, ["username"])


def disabled(user: User) -> None:
    user.is_active = False
    save_profile(user, ["is_active"])


def hidden(user: User) -> None:
    set_hidden([user.pk], hidden=True)


def erased(user: User) -> None:
    identity_data.anonymise(user.pk)


CHANGES = [hidden, renamed, disabled, erased]


@pytest.mark.parametrize("change", CHANGES)
def test_a_first_score_beside_a_change_shows_what_was_changed(
    board: Board, alice: User, change: Callable[[User], None]
) -> None:
    """The change is made, and not yet committed, when the score comes."""
    made, scored = threading.Event(), threading.Event()

    def step(number: int) -> None:
        if number:
            assert made.wait(PATIENCE)
            give(alice, 5)
            scored.set()
        else:
            with transaction.atomic():
                change(alice)
                made.set()
                eventually(lambda: scored.is_set() or blocking(), "the score is done, or waits for the change")

    none_failed(at_once(2, step))
    assert_agreement(board)
    assert UserScore.objects.get(pk=alice.pk).version == 2


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_beside_a_first_score_is_shown(board: Board, alice: User, change: Callable[[User], None]) -> None:
    """The score is written, and not yet committed, when the change comes."""
    scored, changed = threading.Event(), threading.Event()

    def step(number: int) -> None:
        if number:
            assert scored.wait(PATIENCE)
            change(alice)
            changed.set()
        else:
            with transaction.atomic():
                give(alice, 5)
                scored.set()
                eventually(lambda: changed.is_set() or blocking(), "the change is done, or waits for the score")

    none_failed(at_once(2, step))
    sweep.sweep(board)
    assert_agreement(board)


def test_whoever_becomes_a_user_has_a_total_of_which_no_board_hears(board: Board) -> None:
    made = User.objects.bulk_create([User(username=f"new {n}", email=f"new{n}@example.org") for n in range(3)])
    kept = UserScore.objects.filter(user__in=made).values_list("total", "version", "changed_xid")
    assert list(kept) == [(0, 0, 0)] * 3
    sweep.sweep(board)
    assert truth.size(board) == 0
    assert_agreement(board)
