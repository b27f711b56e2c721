"""QUEUE_WHEN_BUSY: what comes while enough waits for the commit is answered 202, and paid once like the rest."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from pytest_django.fixtures import Settings

from accounts.models import User
from actions import queue, redemption
from actions.models import QueuedWork
from config import checks
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory
from tests.support.agreement import assert_agreement
from tests.support.client import UPDATE, Api, assert_problem
from tests.support.groups import Held, in_groups
from tests.support.people import total
from tests.support.processes import PATIENCE, eventually
from tests.support.queued import BATCH, PREFER, accepted, fresh, status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]

Ask = Callable[..., "Future[Any]"]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    with in_groups(redemption, monkeypatch) as held:
        yield held


@pytest.fixture
def ask(held: Held) -> Iterator[Ask]:
    """Sends a request in a thread of its own."""

    def one(path: str, body: Any, user: User) -> Any:
        try:
            return Api().post(path, body, user)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        yield lambda path, body, user: pool.submit(one, path, body, user)
        held.released.set()


def burst(held: Held, ask: Ask, user: User, size: int) -> "list[Future[Any]]":
    """One redemption that is being committed, and so many that wait behind it."""
    first = ask(UPDATE, fresh(user), user)
    eventually(lambda: held.sizes, "a commit is under way")
    waiting = [ask(UPDATE, fresh(user), user) for _ in range(size)]
    eventually(lambda: held.batcher.backlog() == size, "they wait for the commit")
    return [first, *waiting]


def test_what_comes_on_top_is_queued_and_everything_is_paid_once(
    api: Api, alice: User, board: Board, held: Held, ask: Ask, settings: Settings
) -> None:
    settings.QUEUE_WHEN_BUSY = 3
    actions = [fresh(alice) for _ in range(3)]
    waiting = burst(held, ask, alice, 3)
    works = []
    # Answered while the commit is held.
    for answer in (api.post(UPDATE, actions[0], alice), api.post(BATCH, {"actions": actions[1:]}, alice)):
        assert answer.status_code == 202
        assert "Preference-Applied" not in answer, "the client did not ask for it"
        assert answer["Location"] == answer.json()["data"]["status_url"]
        works.append(QueuedWork.objects.get(pk=answer.json()["data"]["work_id"]))
    assert_problem(api.post(UPDATE, {**actions[0], "action_token": "a.b.c"}, alice), "token-invalid")
    accepted(api.post(UPDATE, fresh(alice), alice, PREFER))

    held.released.set()
    assert [answer.result(PATIENCE).status_code for answer in waiting] == [200] * 4
    for work in works:
        queue.process(work.pk)
    results = [result for work in works for result in status(api, alice, work)["results"]]
    assert [(result["action_id"], result["status"]) for result in results] == [(a["action_id"], 200) for a in actions]
    for action in actions:
        assert_problem(api.post(UPDATE, action, alice), "already-redeemed")
    assert (total(alice), ScoreHistory.objects.count()) == (7 * 50, 7)
    assert_agreement(board)


def test_one_less_than_that_is_not_busy(alice: User, held: Held, ask: Ask, settings: Settings) -> None:
    settings.QUEUE_WHEN_BUSY = 3
    waiting = burst(held, ask, alice, 2)
    waiting.append(ask(UPDATE, fresh(alice), alice))
    eventually(lambda: held.batcher.backlog() == 3, "it waits with the others")
    held.released.set()
    assert [answer.result(PATIENCE).status_code for answer in waiting] == [200] * 4


def test_without_the_setting_everything_waits_and_nothing_is_queued(alice: User, held: Held, ask: Ask) -> None:
    waiting = burst(held, ask, alice, 8)
    batch = ask(BATCH, {"actions": [fresh(alice), fresh(alice)]}, alice)
    eventually(lambda: held.batcher.backlog() == 10, "the batch waits, too")
    held.released.set()
    assert [answer.result(PATIENCE).status_code for answer in (*waiting, batch)] == [200] * 10
    assert not QueuedWork.objects.exists()
    assert total(alice) == 11 * 50


@pytest.mark.parametrize("value", [-1, 10_001])
def test_a_bound_that_means_nothing_is_refused_at_start(settings: Settings, value: int) -> None:
    settings.QUEUE_WHEN_BUSY = value
    [error] = checks.ranges(None)
    assert error.msg == f"QUEUE_WHEN_BUSY is {value}; expected 0 to 10000."
