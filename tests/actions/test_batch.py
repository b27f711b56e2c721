"""`POST /score/batch`: up to a hundred, each judged alone, in order, by one statement."""

import json
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from actions import tokens
from actions.models import ActionToken, ActionType
from api.parsers import MAX_BATCH_BODY_BYTES
from scoreboard.models import MAX_TOTAL, ScoreHistory
from tests.support.client import UPDATE, Api, assert_problem
from tests.support.people import bearer, give, player, total, update_body
from tests.support.queued import BATCH, fresh

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]


def send(api: Api, user: User, actions: list[Any]) -> list[dict[str, Any]]:
    answer = api.post(BATCH, {"actions": actions}, user)
    assert answer.status_code == 200, answer.content
    results: list[dict[str, Any]] = answer.json()["data"]["results"]
    assert len(results) == len(actions)
    return results


@pytest.mark.parametrize("size", [1, 2, 99, 100])
def test_all_good_are_all_paid_in_one_statement(api: Api, alice: User, size: int) -> None:
    actions = [fresh(alice) for _ in range(size)]
    credentials = bearer(alice)
    with CaptureQueriesContext(connection) as queries:
        answer = api.post(BATCH, {"actions": actions}, headers=credentials)
    assert len(queries) == 1
    results = answer.json()["data"]["results"]
    assert [result["action_id"] for result in results] == [action["action_id"] for action in actions]
    assert [(r["status"], r["score_delta"], r["new_score"]) for r in results] == [
        (200, 50, 50 * position) for position in range(1, size + 1)
    ]
    assert {result["rank"] for result in results} == {1}
    rows = ScoreHistory.objects.filter(user=alice).order_by("id")
    assert [str(row.action_id) for row in rows] == [action["action_id"] for action in actions]
    assert total(alice) == 50 * size


@pytest.mark.parametrize("body", [{}, [], None, "x", 5, {"actions": None}, {"actions": {}}, {"actions": "x"}])
def test_an_envelope_that_is_none_is_refused(api: Api, alice: User, body: Any) -> None:
    assert list(assert_problem(api.post(BATCH, body, alice), "invalid-request")["errors"]) == ["actions"]


@pytest.mark.parametrize("size", [0, 101, 1000])
def test_one_to_a_hundred(api: Api, alice: User, size: int) -> None:
    answer = api.post(BATCH, {"actions": [{}] * size}, alice)
    assert "1 to 100" in assert_problem(answer, "invalid-request")["errors"]["actions"][0]


def test_fields_beside_the_actions_are_refused(api: Api, alice: User) -> None:
    assert_problem(api.post(BATCH, {"actions": [fresh(alice)], "points": 5}, alice), "invalid-request")
    assert total(alice) == 0


def test_each_is_judged_alone_and_order_is_kept(api: Api, alice: User, bob: User) -> None:
    ActionType.objects.filter(slug="DAILY_LOGIN").update(min_seconds=100)
    redeemed = fresh(alice)
    assert api.post(UPDATE, redeemed, alice).status_code == 200
    expired = fresh(alice)
    ActionToken.objects.filter(pk=expired["action_id"]).update(expires_at="2020-01-01T00:00Z")
    first, second = fresh(alice), fresh(alice, "COMPLETE_TASK")
    unsigned = {**first, "action_token": first["action_token"][:-4] + "AAAA"}
    garbage: list[Any] = [None, 5, "x", [], {}, {**second, "points": 9}, {"action_id": "x"}]
    cases: list[tuple[Any, int]] = [
        (first, 200),
        *((one, 400) for one in garbage),
        (redeemed, 409),
        (first, 409),
        (fresh(bob), 403),
        (unsigned, 403),
        (expired, 410),
        (update_body(tokens.mint_own(alice.pk, "DAILY_LOGIN")), 425),
        (fresh(alice, timestamp=0), 400),
        ({**fresh(alice), "action_type": "COMPLETE_TASK"}, 403),
        ({**fresh(alice), "action_id": str(uuid.uuid4())}, 403),
        (second, 200),
    ]
    results = send(api, alice, [action for action, _ in cases])
    assert [result["status"] for result in results] == [status for _, status in cases]
    assert total(alice) == 50 + 50 + 10
    assert results[-1]["new_score"] == 110
    assert results[8]["original"]["new_score"] == 50
    assert results[9]["original"]["new_score"] == 100, "a repeat in the batch hears what the first did"
    for result in results:
        if result["status"] != 200:
            assert {"action_id", "type", "title", "status", "detail"} <= result.keys()
            assert "new_score" not in result
            assert "request_id" not in result


def test_a_malformed_action_is_matched_by_what_it_called_itself(api: Api, alice: User) -> None:
    names: list[Any] = ["mine", "x" * 500, 7, None, {}, ""]
    results = send(api, alice, [{"action_id": name} for name in names])
    assert [result["action_id"] for result in results] == ["mine", "x" * 36, None, None, None, ""]
    assert all(set(result["errors"]) == {"action_id", "action_type", "action_token", "timestamp"} for result in results)


def test_the_same_action_many_times_is_paid_once(api: Api, alice: User) -> None:
    action = fresh(alice)
    results = send(api, alice, [action] * 100)
    assert [result["status"] for result in results] == [200] + [409] * 99
    assert {result["original"]["score_delta"] for result in results[1:]} == {50}
    assert (total(alice), ScoreHistory.objects.count()) == (50, 1)


def test_what_does_not_fit_the_range_does_not_stop_what_does(api: Api, alice: User) -> None:
    give(alice, target=MAX_TOTAL - 60)
    big, bigger, small = fresh(alice), fresh(alice), fresh(alice, "COMPLETE_TASK")
    results = send(api, alice, [big, bigger, small, bigger])
    assert [result["status"] for result in results] == [200, 409, 200, 409]
    assert results[1]["type"] == results[3]["type"] == "/problems/score-out-of-range"
    assert total(alice) == MAX_TOTAL
    assert ActionToken.objects.get(pk=bigger["action_id"]).redeemed_at is None


def test_a_disabled_player_gets_nothing(api: Api, alice: User) -> None:
    actions = [fresh(alice), fresh(alice)]
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert_problem(api.post(BATCH, {"actions": [*actions, {}]}, alice), "not-authenticated")
    assert (total(alice), ScoreHistory.objects.count()) == (0, 0)


def test_a_hidden_player_is_paid_without_a_rank(api: Api) -> None:
    hidden = player(is_hidden=True)
    [result] = send(api, hidden, [fresh(hidden)])
    assert (result["status"], result["new_score"], result["rank"]) == (200, 50, None)


def test_a_batch_is_larger_than_other_bodies_and_still_bounded(api: Api, alice: User) -> None:
    def padded(size: int) -> bytes:
        raw = json.dumps({"actions": [fresh(alice)]}).encode()
        return raw + b" " * (size - len(raw))

    assert api.post(BATCH, padded(MAX_BATCH_BODY_BYTES), alice).status_code == 200
    assert_problem(api.post(BATCH, padded(MAX_BATCH_BODY_BYTES + 1), alice), "payload-too-large")
    assert (MAX_BATCH_BODY_BYTES, total(alice)) == (256 * 1024, 50)


def test_a_batch_is_a_players_own(api: Api, alice: User) -> None:
    assert_problem(api.post(BATCH, {"actions": [fresh(alice)]}), "not-authenticated")
    assert total(alice) == 0
