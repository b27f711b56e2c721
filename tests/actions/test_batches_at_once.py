"""Sixteen batches at one moment, beside everything else that locks the same players: no deadlock, right sums."""

import random
import uuid
from collections import Counter
from typing import Any

import pytest
from django.db import connection

from accounts import visibility
from accounts.models import User
from actions import redemption, tokens
from actions.submission import Submission
from leaderboard.boards import Board
from scoreboard import bonus, ledger
from scoreboard.models import ScoreHistory, UserScore
from tests.support.agreement import assert_agreement
from tests.support.client import Api
from tests.support.people import entry, player, players, update_body
from tests.support.races import at_once, none_failed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unlimited")]

BATCH = "/api/v1/score/batch"
THREADS = 16
Actions = list[dict[str, Any]]


def deadlocks() -> int:
    """How many circles PostgreSQL has had to break here; a connection that is closed has reported its own."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def total(user: User) -> int:
    return UserScore.objects.get(user=user).total


def shuffled(items: list[Any], seed: int) -> list[Any]:
    return random.Random(seed).sample(items, len(items))


def hand_in(user: User, actions: Actions, seed: int) -> list[tuple[int, int | None]]:
    """One batch in an order of its own: (status, points that the answer says were ever paid) of each."""
    answer = Api().post(BATCH, {"actions": shuffled(actions, seed)}, user)
    assert answer.status_code == 200, answer.content
    results = answer.json()["data"]["results"]
    return [(one["status"], one.get("original", one).get("score_delta")) for one in results]


def test_sixteen_batches_of_the_same_tokens_pay_each_once_and_tell_everyone_so(board: Board, alice: User) -> None:
    actions = [update_body(tokens.mint(alice.pk, "WIN_MATCH")) for _ in range(100)]
    before = deadlocks()
    told = none_failed(at_once(THREADS, lambda seed: hand_in(alice, actions, seed)))
    assert Counter(one for results in told for one in results) == {(200, 50): 100, (409, 50): 1500}
    assert total(alice) == 100 * 50
    assert ScoreHistory.objects.count() == 100
    assert deadlocks() == before
    assert_agreement(board)


def test_batches_get_along_with_group_commits_adjustments_bonuses_hides_and_renames(board: Board) -> None:
    people = players(8)
    moderator = player(role=User.Role.MODERATOR)
    actions = {user: [update_body(tokens.mint(user.pk, "COMPLETE_TASK")) for _ in range(20)] for user in people}
    claims = [tokens.verify(action["action_token"]) for user in people for action in actions[user]]
    ids = [user.pk for user in people]

    def batch(seed: int) -> None:
        for user in shuffled(people, seed):
            hand_in(user, actions[user], seed)

    def group(seed: int) -> None:
        """What the batcher of another process sends: many players in one statement."""
        redemption.commit([Submission(claims=one) for one in shuffled(claims, seed)])

    def adjust(seed: int) -> None:
        for turn in range(4):
            ledger.announce(o.standing for o in ledger.record([entry(user, 1) for user in shuffled(people, turn)]))

    def give(seed: int) -> None:
        for user in shuffled(people, seed):
            bonus.give(moderator.pk, uuid.uuid4().hex, user.pk, 5, "well played")

    def hide(seed: int) -> None:
        for turn in range(4):
            visibility.set_hidden(shuffled(ids, turn), hidden=turn % 2 == 0)

    def rename(seed: int) -> None:
        for user in shuffled(people, seed):
            seen = User.objects.get(pk=user.pk)
            seen.username = f"renamed-{uuid.uuid4().hex[:8]}"
            visibility.save_profile(seen, ["username"])

    kinds = [batch, group, adjust, batch, give, hide, batch, rename]
    before = deadlocks()
    none_failed(at_once(THREADS, lambda number: kinds[number % len(kinds)](number)))
    assert [total(user) for user in people] == [20 * 10 + 2 * 4 * 1 + 2 * 5] * 8
    assert ScoreHistory.objects.filter(source=ScoreHistory.Source.ACTION).count() == len(claims)
    assert deadlocks() == before
    visibility.set_hidden(ids, hidden=False)
    assert_agreement(board)
