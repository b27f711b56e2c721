"""Group commit: requests that meet are settled together, and each hears its own outcome."""

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connections

from accounts.models import User
from actions import redemption, tokens
from actions.admission import Submission
from actions.committer import Committer
from actions.outcomes import Redeemed
from actions.tokens import Claims
from api.problems import Problem
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory, UserScore
from tests.people import player

THREADS = 32


class Slow:
    """`redemption.commit`, held back until the group behind the first has gathered; remembers the groups' sizes."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.gathered = threading.Event()

    def __call__(self, claims: Sequence[Claims], request_ids: Sequence[str]) -> Any:
        self.sizes.append(len(claims))
        self.gathered.wait(20)
        return redemption.commit(claims, request_ids)


@pytest.fixture
def slow(board: Board, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """This process redeems in groups, as a `web` process does."""
    commit = Slow()
    committer = Committer(commit)
    monkeypatch.setattr(redemption, "_committer", committer)
    yield commit
    commit.gathered.set()
    committer.close()


def submission(user: User) -> Submission:
    minted = tokens.mint(user.pk, "COMPLETE_TASK")
    return Submission(minted.action_id, minted.action_type, minted.action_token, time.time())


def together(slow: Slow, wanted: list[tuple[User, Submission]]) -> list[Redeemed | Problem]:
    """Redeems all at one moment, each in a thread of its own; results in order."""

    def one(pair: tuple[User, Submission]) -> Redeemed | Problem:
        try:
            return redemption.redeem(pair[0].pk, pair[1])
        except Problem as refused:
            return refused
        finally:
            connections.close_all()

    committer = redemption._committer
    assert committer is not None
    with ThreadPoolExecutor(len(wanted)) as pool:
        running = [pool.submit(one, pair) for pair in wanted]
        deadline = time.monotonic() + 20
        while sum(slow.sizes) + len(committer.waiting) < len(wanted):  # some are with the committer already
            assert time.monotonic() < deadline
            time.sleep(0.001)
        slow.gathered.set()
        return [each.result(20) for each in running]


def test_requests_that_meet_become_one_statement(slow: Slow, unlimited: None) -> None:
    people = [player(f"player-{n}") for n in range(THREADS)]
    results = together(slow, [(person, submission(person)) for person in people])
    assert all(isinstance(result, Redeemed) and result.new_score == 10 for result in results)
    assert sorted(result.rank for result in results if isinstance(result, Redeemed) and result.rank)[-1] == THREADS
    assert len(slow.sizes) == 2
    assert sum(slow.sizes) == THREADS


def test_one_token_in_every_request_of_a_group_counts_once(slow: Slow, alice: User, unlimited: None) -> None:
    token = submission(alice)
    results = together(slow, [(alice, token)] * THREADS)
    assert sum(isinstance(result, Redeemed) for result in results) == 1
    refused = [result for result in results if isinstance(result, Problem)]
    assert {result.kind for result in refused} == {"already-redeemed"}
    assert {result.extra["original"]["new_score"] for result in refused} == {10}
    assert (UserScore.objects.get(user=alice).total, ScoreHistory.objects.count()) == (10, 1)


def test_each_history_row_carries_the_id_of_its_own_request(slow: Slow, alice: User, bob: User) -> None:
    slow.gathered.set()
    committer = redemption._committer
    assert committer is not None
    for user, request_id in ((alice, "request-of-alice"), (bob, "request-of-bob")):
        one = submission(user)
        committer.redeem([tokens.verify(one.action_token)], request_id)
    found = dict(ScoreHistory.objects.values_list("user_id", "request_id"))
    assert found == {alice.pk: "request-of-alice", bob.pk: "request-of-bob"}


def claims_of(user_id: uuid.UUID) -> Claims:
    return Claims(uuid.uuid4(), user_id, "COMPLETE_TASK", 10, 0, 0, separate=False)


def test_what_breaks_one_request_does_not_break_its_neighbours() -> None:
    broken = uuid.uuid4()

    def commit(claims: Sequence[Claims], request_ids: Sequence[str]) -> Any:
        if any(one.user_id == broken for one in claims):
            raise ValueError("cannot")
        return [one.user_id for one in claims], {}

    committer = Committer(commit)
    people = [uuid.uuid4(), broken, uuid.uuid4()]
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(committer.redeem, [claims_of(person)], "") for person in people]
    committer.close()
    assert [each.exception() is None for each in running] == [True, False, True]
    assert [running[n].result()[0] for n in (0, 2)] == [[people[0]], [people[2]]]


def test_without_postgresql_every_waiting_request_hears_so() -> None:
    def commit(claims: Sequence[Claims], request_ids: Sequence[str]) -> Any:
        raise OperationalError("gone")

    committer = Committer(commit)
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(committer.redeem, [claims_of(uuid.uuid4())], "") for _ in range(8)]
    committer.close()
    assert all(isinstance(each.exception(), OperationalError) for each in running)
