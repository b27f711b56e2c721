"""What one user can make the queue keep: rows do not grow with nonsense, and neither does their number."""

import json
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from actions import queue
from actions.models import QueuedWork
from tests.support.client import UPDATE, Api, assert_problem
from tests.support.queued import BATCH, PREFER, accepted, fresh, queued, status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited", "patient_broker")]

NONSENSE: dict[str, Any] = {
    "long unknown fields": lambda n: {f"{n}-{'x' * 600}": "y" * 600},
    "long known fields": lambda n: {
        "action_id": f"{n}" * 300,
        "action_type": "T" * 300,
        "action_token": "t",
        "timestamp": 0,
    },
    "many unknown fields": lambda n: {f"field-{n}-{field}": "y" * 20 for field in range(30)},
    "a short word": lambda n: n,
}


def stored_bytes(work: QueuedWork) -> int:
    with connection.cursor() as cursor:
        sizes = "length(submissions::text) + length(coalesce(results::text, ''))"
        cursor.execute(f"SELECT {sizes} FROM queued_work WHERE id = %s", [work.pk])
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_beside_a_spent_token_is_kept_short(api: Api, alice: User, kind: str) -> None:
    spent = fresh(alice)
    assert api.post(UPDATE, spent, alice).status_code == 200
    actions = [spent, *(NONSENSE[kind](n) for n in range(99))]
    work = accepted(api.post(BATCH, {"actions": actions}, alice, PREFER))
    most = 99 * (queue.REFUSAL_BYTES + 150)
    assert stored_bytes(work) < most
    queue.process(work.pk)
    assert stored_bytes(work) < most
    said = status(api, alice, work)["results"]
    assert [said[0]["status"], len(said)] == [409, 100]
    assert {result["status"] for result in said[1:]} == {400}
    assert len(json.dumps(actions)) > most or kind == "a short word", "the control"


def test_too_much_that_waits_is_refused_and_keeps_nobody_else_out(
    api: Api, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "WAITING", 2)
    first, _ = queued(api, alice, fresh(alice)), queued(api, alice, fresh(alice))
    refused = api.post(UPDATE, fresh(alice), alice, PREFER)
    assert_problem(refused, "rate-limited")
    assert int(refused["Retry-After"]) > 0
    queued(api, bob, fresh(bob))
    queue.process(first.pk)
    queued(api, alice, fresh(alice))


def test_the_newest_answers_are_kept(api: Api, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "ANSWERS", 2)
    others = queued(api, bob, fresh(bob))
    works = [queued(api, alice, fresh(alice)) for _ in range(4)]
    for work in (others, *works):
        queue.process(work.pk)
    assert list(QueuedWork.objects.filter(user=alice).order_by("accepted_at")) == works[2:]
    assert QueuedWork.objects.filter(pk=others.pk).exists()
