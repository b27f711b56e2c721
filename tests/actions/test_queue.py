"""Queued redemption: accepted with 202, judged as of then, answered at the status URL, paid exactly once."""

import uuid

import pytest
from django.db import connection

from accounts import api_keys
from accounts.models import User
from actions import queue
from actions.models import QueuedWork
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory
from tests.support.agreement import assert_agreement
from tests.support.client import UPDATE, Api, assert_problem
from tests.support.people import total
from tests.support.queued import BATCH, PREFER, accepted, fresh, queued, results, status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]


def test_an_update_is_accepted_then_paid_and_answered(api: Api, alice: User, board: Board) -> None:
    action = fresh(alice)
    work = queued(api, alice, action)
    waiting = status(api, alice, work)
    assert (waiting["state"], waiting["results"], waiting["finished_at"]) == ("queued", None, None)
    assert total(alice) == 0
    [result] = results(api, alice, work)
    assert result == {"action_id": action["action_id"], "status": 200, "new_score": 50, "rank": 1, "score_delta": 50}
    assert total(alice) == 50
    assert_agreement(board)


def test_the_history_carries_the_request_that_was_accepted(api: Api, alice: User) -> None:
    answer = api.post(UPDATE, fresh(alice), alice, {**PREFER, "X-Request-ID": "the-first-one"})
    queue.process(accepted(answer).pk)
    assert ScoreHistory.objects.get().request_id == "the-first-one"


def test_a_batch_keeps_its_order_and_judges_each_alone(api: Api, alice: User, bob: User) -> None:
    redeemed, one, two = fresh(alice), fresh(alice), fresh(alice, "COMPLETE_TASK")
    assert api.post(UPDATE, redeemed, alice).status_code == 200
    actions = [{"action_id": "mine"}, one, fresh(bob), redeemed, one, 5, two]
    at_once_answer = [400, 200, 403, 409, 409, 400, 200]
    listed = results(api, alice, accepted(api.post(BATCH, {"actions": actions}, alice, PREFER)))
    assert [result["status"] for result in listed] == at_once_answer
    assert [listed[0]["action_id"], listed[5]["action_id"]] == ["mine", None]
    assert total(alice) == 50 + 50 + 10


@pytest.mark.parametrize(
    "prefer",
    ["respond-async", "Respond-Async", "wait=5, respond-async", "respond-async;x=1, wait=10", " respond-async "],
)
def test_whoever_prefers_it_gets_it(api: Api, alice: User, prefer: str) -> None:
    accepted(api.post(UPDATE, fresh(alice), alice, {"Prefer": prefer}))


@pytest.mark.parametrize("prefer", ["", "wait=5", "respond-asynchronously", "return=minimal", "x-respond-async"])
def test_others_are_answered_at_once(api: Api, alice: User, prefer: str) -> None:
    assert api.post(UPDATE, fresh(alice), alice, {"Prefer": prefer}).status_code == 200


def test_what_can_be_refused_at_once_is(api: Api, alice: User, bob: User) -> None:
    good = fresh(alice)
    for body, kind in (
        ({}, "invalid-request"),
        ({**good, "timestamp": 0}, "invalid-request"),
        ({**good, "action_token": "a.b.c"}, "token-invalid"),
        (fresh(bob), "token-invalid"),
    ):
        assert_problem(api.post(UPDATE, body, alice, PREFER), kind)
    assert_problem(api.post(BATCH, {"actions": []}, alice, PREFER), "invalid-request")
    assert_problem(api.post(UPDATE, good, None, PREFER), "not-authenticated")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert_problem(api.post(UPDATE, good, alice, PREFER), "not-authenticated")
    assert not QueuedWork.objects.exists()


def test_text_that_no_database_keeps_is_a_400(api: Api, alice: User) -> None:
    for action in ({"action_id": "\0"}, {"a\0b": 1}, {"action_type": "x\0"}):
        assert_problem(api.post(BATCH, {"actions": [action]}, alice, PREFER), "invalid-request")
    assert not QueuedWork.objects.exists()


def test_only_its_owner_sees_it(api: Api, alice: User, bob: User) -> None:
    work = queued(api, alice, fresh(alice))
    url = f"/api/v1/score/requests/{work.pk}"
    assert_problem(api.get(url, bob), "not-found")
    assert_problem(api.get(url), "not-authenticated")
    _, text = api_keys.issue("game server", ["mint"])
    assert_problem(api.get(url, headers={"X-API-Key": text}), "not-authenticated")
    assert_problem(api.get(f"/api/v1/score/requests/{uuid.uuid4()}", alice), "not-found")
    assert_problem(api.get("/api/v1/score/requests/mine", alice), "not-found")


def test_the_token_itself_is_not_kept(api: Api, alice: User) -> None:
    one, two = fresh(alice), fresh(alice)
    queued(api, alice, one, two)
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(queued_work::text, '') FROM queued_work")
        kept = cursor.fetchone()[0]
    assert one["action_id"] in kept
    assert all(action["action_token"].rpartition(".")[2] not in kept for action in (one, two))


def test_a_repeat_hears_the_same_words_as_one_that_is_answered_at_once(api: Api, alice: User) -> None:
    action = fresh(alice)
    assert api.post(UPDATE, action, alice).status_code == 200
    [later] = results(api, alice, queued(api, alice, action))
    at_once_said = api.post(BATCH, {"actions": [action]}, alice).json()["data"]["results"][0]
    assert later == at_once_said
    assert set(later["original"]) == {"new_score", "score_delta", "redeemed_at"}


def test_what_is_malformed_hears_the_same_words_too(api: Api, alice: User) -> None:
    actions = [{"action_id": "mine", "points": 5}, 5, {**fresh(alice), "timestamp": "now"}]
    work = accepted(api.post(BATCH, {"actions": [*actions, fresh(alice)]}, alice, PREFER))
    *later, good = results(api, alice, work)
    assert good["status"] == 200
    assert later == api.post(BATCH, {"actions": actions}, alice).json()["data"]["results"]
    assert [sorted(result["errors"]) for result in later][2] == ["timestamp"]
