"""Group commit beside a transaction that holds a player's row: requests for that row wait, their neighbours do not."""

import threading
from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from accounts.models import User
from actions import redemption, tokens
from actions.batcher import Batcher
from actions.submission import Submission
from scoreboard.models import UserScore
from tests.support.people import give, submission
from tests.support.processes import PATIENCE, eventually
from tests.support.worker import blocked_backends

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]


@pytest.fixture
def batcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Batcher[Submission]]:
    """This process redeems in groups, as a `web` process does."""
    batcher = Batcher(redemption.commit)
    monkeypatch.setattr(redemption, "_batcher", batcher)
    yield batcher
    batcher.close()


class Redeeming(threading.Thread):
    """A request; `score` is what it was answered."""

    def __init__(self, user: User) -> None:
        super().__init__()
        self.user, self.handed_in = user, submission(tokens.mint(user.pk, "WIN_MATCH"))
        self.score: int | None = None

    def run(self) -> None:
        try:
            self.score = redemption.redeem(self.user.pk, self.handed_in).new_score
        finally:
            connection.close()


def test_a_held_row_holds_up_only_those_who_need_it(batcher: Batcher[Submission], alice: User, bob: User) -> None:
    give(alice, 1)
    held_up, *neighbours = [Redeeming(user) for user in (alice, bob, bob, bob)]
    with transaction.atomic():
        UserScore.objects.select_for_update().get(user=alice)
        held_up.start()
        eventually(blocked_backends, "alice waits for her row")
        for neighbour in neighbours:
            neighbour.start()
        for neighbour in neighbours:
            neighbour.join(PATIENCE)
        assert {neighbour.score for neighbour in neighbours} == {50, 100, 150}
        assert held_up.is_alive(), "alice's row is still held"
    held_up.join(PATIENCE)
    assert held_up.score == 51


def test_who_was_held_up_in_a_group_is_paid_once(batcher: Batcher[Submission], alice: User, bob: User) -> None:
    give(alice, 1)
    everyone = [Redeeming(user) for user in (alice, bob, alice, bob)]
    with transaction.atomic():
        UserScore.objects.select_for_update().get(user=alice)
        for one in everyone:
            one.start()
        eventually(lambda: len(blocked_backends()) == 2, "both of alice's wait in threads of their own")
    for one in everyone:
        one.join(PATIENCE)
    assert {one.score for one in everyone if one.user == alice} == {51, 101}
    assert {one.score for one in everyone if one.user == bob} == {50, 100}
    assert [UserScore.objects.get(user=user).total for user in (alice, bob)] == [101, 100]
