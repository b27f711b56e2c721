"""Every transaction takes locks in one order, so that those that share players or tokens wait and none deadlocks."""

import random
import threading
from collections import Counter
from dataclasses import replace
from typing import TypeVar

import pytest
from django.db import OperationalError, connection, transaction

from accounts import visibility
from accounts.models import User
from actions import redemption, tokens
from actions.submission import Submission
from leaderboard import reconcile
from leaderboard.boards import Board
from scoreboard import ledger
from scoreboard.models import ScoreHistory, UserScore
from tests.support.agreement import assert_agreement
from tests.support.people import entry, give, outcome, players, submission
from tests.support.processes import PATIENCE
from tests.support.races import at_once, none_failed

T = TypeVar("T")

pytestmark = pytest.mark.usefixtures("board", "unlimited")

BATCHES = 16


def shuffled(number: int, items: list[T]) -> list[T]:
    """The same items, in another order for each number."""
    return random.Random(number).sample(items, len(items))


def assert_sums(users: list[User], total: int) -> None:
    """Everyone has this total, and a history that leads there step by step, in the order of time."""
    for user in users:
        score = UserScore.objects.get(user=user)
        rows = list(ScoreHistory.objects.filter(user=user).order_by("id"))
        assert (score.total, score.version, score.reached_at) == (total, len(rows), rows[-1].created_at)
        assert [row.version for row in rows] == list(range(1, len(rows) + 1))
        assert [row.old_total for row in rows] == [0, *(row.new_total for row in rows[:-1])]
        # The transaction that waited reached its total later.
        assert [row.created_at for row in rows] == sorted(row.created_at for row in rows)
    assert list(reconcile.ledger_mismatches()) == []


def test_the_control_locking_in_the_order_of_the_batch_deadlocks() -> None:
    """Two batches over two players in opposite orders, one lock after the other."""
    one, other = players(2)
    give(one, 1)
    give(other, 1)
    first_locked = threading.Barrier(2)

    def lock_in_order(number: int) -> str:
        with transaction.atomic(), connection.cursor() as cursor:
            for position, user in enumerate((one, other) if number else (other, one)):
                cursor.execute("UPDATE user_scores SET total = total WHERE user_id = %s", [user.pk])
                if position == 0:
                    first_locked.wait(PATIENCE)
        return "done"

    outcomes = at_once(2, lock_in_order)
    assert outcomes.count("done") == 1
    [failed] = [outcome for outcome in outcomes if outcome != "done"]
    assert isinstance(failed, OperationalError)
    assert "deadlock detected" in str(failed)


def test_16_batches_over_the_same_players_in_any_order_all_get_through(board: Board) -> None:
    crowd = players(20)

    def record(number: int) -> set[str]:
        outcomes: set[str] = set()
        for turn in range(5):
            done = ledger.record([entry(user, 1) for user in shuffled(number * 10 + turn, crowd)])
            ledger.announce(outcome.standing for outcome in done)
            outcomes |= {outcome.outcome for outcome in done}
        return outcomes

    assert at_once(BATCHES, record) == [{"recorded"}] * BATCHES
    assert_sums(crowd, BATCHES * 5)
    assert_agreement(board)


def test_16_batches_of_the_same_entries_record_each_once(board: Board) -> None:
    crowd = players(20)
    entries = [entry(user, 3) for user in crowd]
    results = at_once(BATCHES, lambda number: ledger.record(shuffled(number, entries)))
    outcomes = Counter(outcome.outcome for result in none_failed(results) for outcome in result)
    assert outcomes == {"recorded": 20, "duplicate": 20 * (BATCHES - 1)}
    assert_sums(crowd, 3)


def test_16_batches_of_the_same_tokens_in_any_order_are_paid_once(board: Board, alice: User, bob: User) -> None:
    handed_in = {user.pk: [submission(tokens.mint(user.pk, "DAILY_LOGIN")) for _ in range(20)] for user in (alice, bob)}

    def redeem(number: int) -> list[str]:
        user = (alice, bob)[number % 2]
        mine = [replace(one) for one in shuffled(number, handed_in[user.pk])]
        redemption.redeem_all(user.pk, mine)
        return [outcome(one) for one in mine]

    outcomes = Counter(outcome for result in none_failed(at_once(BATCHES, redeem)) for outcome in result)
    assert outcomes == {"paid": 40, "already-redeemed": 20 * BATCHES - 40}
    assert_sums([alice, bob], 100)
    assert_agreement(board)


def test_16_groups_of_many_players_tokens_in_any_order_are_paid_once(board: Board) -> None:
    """As batchers of several processes do it: one statement for the requests that happened to wait."""
    crowd = players(10)
    claims = [tokens.verify(tokens.mint(user.pk, "DAILY_LOGIN").action_token) for user in crowd for _ in range(2)]

    def commit(number: int) -> list[str]:
        group = [Submission(claims=one) for one in shuffled(number, claims)]
        redemption.commit(group)
        return [outcome(one) for one in group]

    outcomes = Counter(outcome for result in none_failed(at_once(BATCHES, commit)) for outcome in result)
    assert outcomes == {"paid": 20, "already-redeemed": 20 * (BATCHES - 1)}
    assert_sums(crowd, 10)
    assert_agreement(board)


def test_scores_hides_and_renames_of_the_same_players_get_along(board: Board) -> None:
    """The users' trigger locks totals too, for one player or for many at once."""
    crowd = players(12)
    ids = [user.pk for user in crowd]

    def work(number: int) -> str:
        for turn in range(6):
            match number % 4:
                case 0:
                    ledger.record([entry(user, 1) for user in shuffled(number + turn, crowd)])
                case 1:
                    visibility.set_hidden(shuffled(number + turn, ids)[:6], hidden=turn % 2 == 0)
                case 2:
                    User.objects.filter(pk=ids[turn]).update(username=f"renamed-{number}-{turn}")
                case _:
                    redemption.redeem(ids[turn], submission(tokens.mint(ids[turn], "DAILY_LOGIN")))
        ledger.announce_players(ids)
        return "done"

    assert at_once(BATCHES, work) == ["done"] * BATCHES
    assert list(reconcile.ledger_mismatches()) == []
    assert ScoreHistory.objects.count() == 4 * 6 * 12 + 4 * 6
    ledger.announce_players(ids)
    assert_agreement(board)
