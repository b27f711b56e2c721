"""Group commit: requests that meet are written together, and each hears its own outcome."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import OperationalError, connections

from accounts.models import User
from actions import redemption, tokens
from actions.batcher import Batcher
from actions.submission import Submission
from api.problems import Problem
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory, UserScore
from tests.support.groups import Held, in_groups
from tests.support.people import player, submission
from tests.support.processes import PATIENCE, eventually

THREADS = 32


@pytest.fixture
def slow(board: Board, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    with in_groups(redemption, monkeypatch) as held:
        yield held


def together(slow: Held, wanted: list[tuple[User, Submission]]) -> None:
    """Redeems all at one moment, each in a thread of its own."""

    def one(pair: tuple[User, Submission]) -> None:
        try:
            redemption.redeem_all(pair[0].pk, [pair[1]])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(wanted)) as pool:
        running = [pool.submit(one, pair) for pair in wanted]
        # Some are with the batcher already.
        eventually(lambda: sum(slow.sizes) + len(slow.batcher.waiting) == len(wanted), "all have come")
        slow.released.set()
        for each in running:
            each.result(PATIENCE)


def test_requests_that_meet_become_one_statement(slow: Held, unlimited: None) -> None:
    wanted = [
        (person, submission(tokens.mint(person.pk, "COMPLETE_TASK")))
        for person in (player(f"player-{n}") for n in range(THREADS))
    ]
    together(slow, wanted)
    assert {one.new_score for _, one in wanted} == {10}
    assert max(one.rank or 0 for _, one in wanted) == THREADS
    assert len(slow.sizes) == 2
    assert sum(slow.sizes) == THREADS


def test_one_token_in_every_request_of_a_group_counts_once(slow: Held, alice: User, unlimited: None) -> None:
    token = submission(tokens.mint(alice.pk, "COMPLETE_TASK"))
    handed_in = [replace(token) for _ in range(THREADS)]
    together(slow, [(alice, one) for one in handed_in])
    refused = [one.refusal for one in handed_in if isinstance(one.refusal, Problem)]
    assert len(refused) == THREADS - 1
    assert {refusal.kind for refusal in refused} == {"already-redeemed"}
    assert {refusal.extra["original"]["new_score"] for refusal in refused} == {10}
    assert (UserScore.objects.get(user=alice).total, ScoreHistory.objects.count()) == (10, 1)


def test_each_history_row_carries_the_id_of_its_own_request(slow: Held, alice: User, bob: User) -> None:
    named = [(alice, "the-first"), (alice, "request-of-alice"), (bob, "request-of-bob")]
    handed_in = [submission(tokens.mint(user.pk, "COMPLETE_TASK"), request_id=request_id) for user, request_id in named]

    def one(user: User, item: Submission) -> None:
        try:
            redemption.redeem(user.pk, item)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        pool.submit(one, alice, handed_in[0])
        eventually(lambda: slow.sizes == [1], "the first is being redeemed")
        for (user, _), item in zip(named[1:], handed_in[1:], strict=True):
            pool.submit(one, user, item)
        eventually(lambda: len(slow.batcher.waiting) == 2, "the others are one group")
        slow.released.set()
    found = set(ScoreHistory.objects.values_list("user_id", "request_id"))
    assert found == {(user.pk, request_id) for user, request_id in named}
    assert slow.sizes == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_what_breaks_one_request_does_not_break_its_neighbours() -> None:
    gathered = threading.Event()
    sizes: list[int] = []
    done: list[str] = []

    def work(names: Sequence[str]) -> None:
        sizes.append(len(names))
        gathered.wait(PATIENCE)
        if "broken" in names:
            raise ValueError("cannot")
        done.extend(names)

    batcher = Batcher(work)
    with ThreadPoolExecutor(4) as pool:
        pool.submit(batcher.put, ["first"])
        eventually(lambda: sizes == [1], "the first is at work")
        running = [pool.submit(batcher.put, [name]) for name in ("one", "broken", "two")]
        eventually(lambda: len(batcher.waiting) == 3, "the others are one group")
        gathered.set()
    batcher.close()
    assert sizes[:2] == [1, 3]
    assert [each.exception() is None for each in running] == [True, False, True]
    assert sorted(done) == ["first", "one", "two"]


@pytest.mark.django_db(transaction=True)
def test_without_postgresql_every_waiting_request_hears_so() -> None:
    def work(names: Sequence[str]) -> None:
        raise OperationalError("gone")

    batcher = Batcher(work)
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(batcher.put, ["one"]) for _ in range(8)]
    batcher.close()
    assert all(isinstance(each.exception(), OperationalError) for each in running)


def test_a_request_with_nothing_to_write_does_not_wait(slow: Held, alice: User) -> None:
    redemption.redeem_all(alice.pk, [])
    assert slow.sizes == []
