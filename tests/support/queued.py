"""Queued redemption as a client meets it: 202, the promise behind it, and the status URL."""

from typing import Any

from accounts.models import User
from actions import queue, tokens
from actions.models import QueuedWork
from tests.support.client import UPDATE, Api
from tests.support.people import update_body

BATCH = "/api/v1/score/batch"
PREFER = {"Prefer": "respond-async"}


def fresh(user: User, slug: str = "WIN_MATCH", **changes: Any) -> dict[str, Any]:
    """The body of a redemption that would be paid."""
    return update_body(tokens.mint(user.pk, slug), **changes)


def accepted(answer: Any) -> QueuedWork:
    """The answer is a complete 202; returns what it promises."""
    assert answer.status_code == 202, answer.content
    work = QueuedWork.objects.get(pk=answer.json()["data"]["work_id"])
    url = f"/api/v1/score/requests/{work.pk}"
    assert answer.json()["data"] == {"work_id": str(work.pk), "state": "queued", "status_url": url}
    assert (answer["Location"], answer["Preference-Applied"]) == (url, "respond-async")
    return work


def queued(api: Api, user: User, *actions: dict[str, Any]) -> QueuedWork:
    if len(actions) == 1:
        return accepted(api.post(UPDATE, actions[0], user, PREFER))
    return accepted(api.post(BATCH, {"actions": list(actions)}, user, PREFER))


def status(api: Api, user: User, work: QueuedWork) -> dict[str, Any]:
    answer = api.get(f"/api/v1/score/requests/{work.pk}", user)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-store"
    data: dict[str, Any] = answer.json()["data"]
    return data


def results(api: Api, user: User, work: QueuedWork) -> list[dict[str, Any]]:
    """What became of it, once a worker has been through it."""
    queue.process(work.pk)
    said = status(api, user, work)
    assert said["state"] == "done"
    assert said["finished_at"]
    listed: list[dict[str, Any]] = said["results"]
    return listed
