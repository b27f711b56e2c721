"""Real workers on a real broker: Redis, or RabbitMQ when CELERY_BROKER_URL names one. Killed, cut off, fed poison."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import AuditLog, User
from actions import queue
from actions.models import QueuedWork
from scoreboard.models import ScoreHistory, UserScore
from tests.support.client import UPDATE, Api
from tests.support.people import give, total
from tests.support.processes import eventually
from tests.support.queued import fresh, queued, status
from tests.support.worker import ON_RABBITMQ, Worker, dead_letters, wait_until_blocked

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("unlimited", "patient_broker"),
]

Start = Callable[..., Worker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    workers: list[Worker] = []

    def start(**changes: str) -> Worker:
        workers.append(Worker(tmp_path / f"worker-{len(workers)}.log", **changes))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


def done(work: QueuedWork) -> bool:
    return QueuedWork.objects.get(pk=work.pk).state == "done"


def send_what_is_late() -> None:
    """What beat does every half minute, for messages that a dead worker took with it: on Redis they come back only
    after the broker's visibility time-out; RabbitMQ gives them to the next worker by itself."""
    queue.resend(timezone.now() + queue.RESEND_AFTER + timedelta(seconds=1))


def test_what_is_queued_is_paid(api: Api, alice: User, start: Start) -> None:
    works = [queued(api, alice, *(fresh(alice) for _ in range(size))) for size in (1, 2, 1)]
    assert len({work.request_id for work in works}) == 3
    start()
    eventually(lambda: all(map(done, works)), "the worker is through with them")
    for work in works:
        assert {result["status"] for result in status(api, alice, work)["results"]} == {200}
    assert total(alice) == 200
    entries = ScoreHistory.objects.order_by("id").values_list("request_id", flat=True)
    assert sorted(entries) == sorted(works[index].request_id for index in (0, 1, 1, 2))


def test_what_a_worker_refuses_is_on_record(api: Api, alice: User, start: Start) -> None:
    body = fresh(alice)
    work = queued(api, alice, body)
    assert api.post(UPDATE, body, alice).status_code == 200
    start()
    line = eventually(AuditLog.objects.filter(request_id=work.request_id).first, "the refusal is written")
    assert (line.kind, line.user_id) == ("already-redeemed", alice.pk)


@pytest.mark.long
def test_a_message_sent_five_times_pays_once(api: Api, alice: User, start: Start) -> None:
    work, last = queued(api, alice, fresh(alice)), queued(api, alice, fresh(alice))
    for each in (work, work, work, work, last):
        queue.send(each.pk, each.request_id)
    start()
    eventually(lambda: done(work) and done(last), "the worker is through with both")
    assert total(alice) == 100
    assert ScoreHistory.objects.count() == 2


def test_a_worker_killed_in_the_middle_is_replaced_and_nothing_is_paid_twice(
    api: Api, alice: User, start: Start
) -> None:
    give(alice, 1)
    work = queued(api, alice, fresh(alice), fresh(alice))
    with transaction.atomic():
        UserScore.objects.select_for_update().get(user=alice)
        first = start()
        wait_until_blocked()
        first.kill()
    start()
    if not ON_RABBITMQ:
        send_what_is_late()
    eventually(lambda: done(work), "the next worker is through with it")
    assert total(alice) == 101
    assert ScoreHistory.objects.count() == 3


def test_a_worker_cut_off_from_the_database_tries_again(api: Api, alice: User, start: Start) -> None:
    give(alice, 1)
    work = queued(api, alice, fresh(alice))
    with transaction.atomic():
        UserScore.objects.select_for_update().get(user=alice)
        start(QUEUE_RETRY_SECONDS="0,0,0")
        session = wait_until_blocked()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [session])
    eventually(lambda: done(work), "it is tried again")
    assert total(alice) == 51
    assert QueuedWork.objects.get().error == ""


def test_poison_is_tried_four_times_then_lies_dead_until_it_is_replayed(api: Api, alice: User, start: Start) -> None:
    work = queued(api, alice, fresh(alice))
    good = QueuedWork.objects.get().submissions
    QueuedWork.objects.update(submissions=[{"action_id": "x", "claims": {"action_id": "no uuid"}}])
    worker = start(QUEUE_RETRY_SECONDS="0,0,0")
    eventually(lambda: QueuedWork.objects.get().state == "dead", "it is given up")
    dead = QueuedWork.objects.get()
    said = [json.loads(line) for line in worker.log.read_text().splitlines() if "queued_work_failed" in line]
    assert [line["request_id"] for line in said] == [dead.request_id] * 4
    assert (dead.attempts, dead.results) == (4, None)
    assert "badly formed hexadecimal UUID string" in dead.error
    assert status(api, alice, work)["state"] == "dead"
    if ON_RABBITMQ:
        eventually(lambda: dead_letters() == 1, "its message is among the dead letters")
    send_what_is_late()
    assert QueuedWork.objects.get().state == "dead", "dead work is sent again by a person only"

    QueuedWork.objects.update(submissions=good)
    assert queue.replay(dead)
    eventually(lambda: done(work), "it is through at last")
    assert not queue.replay(dead)
    assert total(alice) == 50


@pytest.mark.long
def test_one_failure_is_no_death(api: Api, alice: User, start: Start) -> None:
    work, neighbour = queued(api, alice, fresh(alice)), queued(api, alice, fresh(alice))
    good = QueuedWork.objects.get(pk=work.pk).submissions
    broken = [{"action_id": "x", "claims": {}}]
    QueuedWork.objects.filter(pk=work.pk).update(submissions=broken)
    start(QUEUE_RETRY_SECONDS="0.1,0.1,600")
    eventually(lambda: QueuedWork.objects.get(pk=work.pk).attempts >= 3, "it fails three times")
    eventually(lambda: done(neighbour), "its neighbour does not mind")
    QueuedWork.objects.filter(pk=work.pk).update(submissions=good)
    send_what_is_late()
    eventually(lambda: done(work), "it is through when what broke it is mended")
    assert total(alice) == 100
