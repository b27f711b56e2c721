"""The relay as a process: killed in the middle, two at once, a receiver that hangs beside one that does not."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from events import relay, webhooks
from scoreboard import ledger
from scoreboard.models import ScoreHistory
from tests.events.conftest import Make
from tests.events.receiver import Got, Receiver, receiving
from tests.support.people import entry, give
from tests.support.processes import PATIENCE, environment, eventually, running
from tests.support.races import at_once, none_failed
from tests.support.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)

RUN = "import django\ndjango.setup()\nfrom events import relay\nrelay.Relay().run()\n"
# The site's own receiver of webhooks on this machine is allowed; nothing else that is not public.
Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a relay as a process of its own: first the worker, as it is, then one without Celery, which is sooner."""
    workers: list[Worker] = []
    with contextlib.ExitStack() as stack:

        def start() -> "subprocess.Popen[bytes]":
            if not workers:
                workers.append(Worker(tmp_path / "worker.log", WEBHOOK_ALLOW="127.0.0.1"))
                return workers[0].process
            env = environment(WEBHOOK_ALLOW="127.0.0.1")
            return stack.enter_context(running([sys.executable, "-c", RUN], env, tmp_path / "relay.log"))

        yield start
    for worker in workers:
        worker.close()


@pytest.fixture
def here() -> Iterator[relay.Relay]:
    """A relay in a thread of this process."""
    one = relay.Relay()
    thread = threading.Thread(target=one.run, daemon=True)
    thread.start()
    yield one
    one.ended.set()
    for each in (thread, *one.hands):
        each.join(PATIENCE)


def ids(receiver: Receiver) -> list[int]:
    return [int(event["sequence"]) for event in receiver.events]


def history() -> list[int]:
    return list(ScoreHistory.objects.order_by("id").values_list("id", flat=True))


def test_killed_in_the_middle_of_a_request_it_is_followed_by_another_and_nothing_is_passed_over(
    alice: User, bob: User, receiver: Receiver, webhook: Make, start: Start
) -> None:
    """Two at once: the second takes over when the first dies, and does not send beside it while it lives."""
    webhook(batch=5)
    reached, go_on = threading.Event(), threading.Event()

    def hang_once(got: Got) -> Any:
        if got.events[0]["data"]["score"] == 6 and not reached.is_set():
            reached.set()
            go_on.wait(PATIENCE)
        return 200, {}, b""

    receiver.answers = hang_once
    first = start()
    ledger.record([entry(alice, 1) for _ in range(10)])
    assert reached.wait(PATIENCE)
    start()
    give(bob, 1)
    first.kill()
    first.wait()
    go_on.set()
    eventually(lambda: set(ids(receiver)) == set(history()), "the second has told all of it")
    sent = [
        [event["data"]["score"] for event in got.events if event["subject"] == str(alice.pk)] for got in receiver.got
    ]
    assert sent[:3] == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [6, 7, 8, 9, 10]]


def test_a_receiver_that_hangs_keeps_no_other_waiting(
    alice: User, receiver: Receiver, webhook: Make, here: relay.Relay
) -> None:
    never = threading.Event()

    def hang(_: Got) -> Any:
        never.wait(PATIENCE)
        return 200, {}, b""

    receiver.answers = hang
    webhook()
    give(alice, 1)
    eventually(lambda: receiver.got, "it hangs")
    before = history()
    with receiving() as other:
        webhook(url=other.url)
        for _ in range(3):
            give(alice, 1)
            eventually(lambda: before + ids(other) == history(), "the other one has heard")
    never.set()


def test_a_webhook_that_is_made_while_it_runs_is_told(
    alice: User, receiver: Receiver, webhook: Make, here: relay.Relay
) -> None:
    endpoint = webhook()
    give(alice, 1)
    eventually(lambda: ids(receiver) == history(), "it is told")
    webhooks.delete(endpoint)
    give(alice, 1)
    eventually(lambda: not here.busy, "nothing is left to do")


def test_two_sessions_do_not_hold_one_sink() -> None:
    both = threading.Barrier(2)

    def hold(_: int) -> bool:
        with relay.held("webhook:one") as mine:
            both.wait(PATIENCE)
            return mine

    assert sorted(none_failed(at_once(2, hold))) == [False, True]
    with relay.held("webhook:one") as free:
        assert free
