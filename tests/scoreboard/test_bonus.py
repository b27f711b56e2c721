"""Bonus points: by permission, never to oneself, and once for each Idempotency-Key whatever is sent how often."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from accounts.models import User
from scoreboard.models import MAX_BONUS, MAX_TOTAL, Bonus, ScoreHistory
from tests.support.client import Api, assert_problem
from tests.support.people import give, player, total
from tests.support.races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]

BONUS = "/api/v1/score/bonus"


def ask(api: Api, who: User | None, to: User | uuid.UUID, points: Any = 10, key: str | None = "", **body: Any) -> Any:
    """A bonus under this Idempotency-Key; a fresh one when it is "", none when it is None."""
    headers = {} if key is None else {"Idempotency-Key": key or uuid.uuid4().hex}
    user_id = str(to.pk if isinstance(to, User) else to)
    return api.post(BONUS, {"user_id": user_id, "points": points, "reason": "won the cup", **body}, who, headers)


def test_a_moderator_gives_and_the_history_says_who_and_why(api: Api, mod: User, alice: User) -> None:
    give(alice, 5)
    answer = ask(api, mod, alice, 10)
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert {**data, "action_id": None} == {"action_id": None, "new_score": 15, "rank": 1, "score_delta": 10}
    row = ScoreHistory.objects.get(action_id=data["action_id"])
    assert (row.user, row.actor, row.source, row.delta, row.reason) == (alice, mod, "bonus", 10, "won the cup")
    assert row.request_id == answer["X-Request-ID"]


@pytest.mark.parametrize("role", [User.Role.MODERATOR, User.Role.ADMIN])
def test_roles_that_may(api: Api, alice: User, role: User.Role) -> None:
    assert ask(api, player(role=role), alice).status_code == 200


def test_a_single_permission_is_enough(api: Api, bob: User, alice: User) -> None:
    assert ask(api, bob, alice).status_code == 403
    bob.user_permissions.add(Permission.objects.get(codename="give_bonus"))
    assert ask(api, bob, alice).status_code == 200


def test_who_may_not(api: Api, alice: User, bob: User, mod: User) -> None:
    assert_problem(ask(api, bob, alice), "forbidden")
    assert_problem(ask(api, None, alice), "not-authenticated")
    User.objects.filter(pk=mod.pk).update(is_active=False)
    assert_problem(ask(api, mod, alice), "not-authenticated")
    assert (total(alice), Bonus.objects.count()) == (0, 0)


def test_a_role_taken_away_counts_at_once(api: Api, alice: User, mod: User) -> None:
    assert ask(api, mod, alice).status_code == 200
    User.objects.filter(pk=mod.pk).update(role=User.Role.PLAYER)
    assert_problem(ask(api, mod, alice), "forbidden")


def test_nobody_gives_to_themselves(api: Api, mod: User) -> None:
    root = player(role=User.Role.ADMIN, is_superuser=True)
    for who in (mod, root):
        assert_problem(ask(api, who, who), "forbidden")
        assert total(who) == 0


def test_a_repeat_pays_nothing_and_hears_the_first_answer(api: Api, mod: User, alice: User) -> None:
    first = ask(api, mod, alice, 10, key="k-1").json()["data"]
    give(alice, 100)
    repeat = ask(api, mod, alice, 10, key="k-1")
    assert repeat.status_code == 200
    assert repeat.json()["data"] == {**first, "rank": 1}
    assert (total(alice), Bonus.objects.count()) == (110, 1)


@pytest.mark.parametrize("change", [{"points": 11}, {"reason": "another"}, {"user_id": "bob"}])
def test_the_same_key_for_something_else_is_a_conflict(
    api: Api, mod: User, alice: User, bob: User, change: dict[str, Any]
) -> None:
    assert ask(api, mod, alice, key="k-1").status_code == 200
    body = {name: str(bob.pk) if name == "user_id" else value for name, value in change.items()}
    original = assert_problem(ask(api, mod, alice, key="k-1", **body), "id-reused")["original"]
    row = Bonus.objects.get()
    assert original.pop("created_at") == row.created_at.isoformat().replace("+00:00", "Z")
    asked = {"user_id": str(alice.pk), "points": 10, "reason": "won the cup", "boards": []}
    assert original == {**asked, "action_id": str(row.pk), "state": "paid"}
    assert (total(alice), total(bob)) == (10, 0)


def test_a_key_belongs_to_whoever_uses_it(api: Api, mod: User, alice: User) -> None:
    other = player(role=User.Role.MODERATOR)
    assert ask(api, mod, alice, 10, key="k-1").status_code == 200
    assert ask(api, other, alice, 7, key="k-1").status_code == 200
    assert total(alice) == 17


def test_a_refused_bonus_does_not_burn_its_key(api: Api, mod: User, alice: User) -> None:
    give(alice, target=MAX_TOTAL - 5)
    assert_problem(ask(api, mod, alice, 10, key="k-1"), "score-out-of-range")
    ghost = uuid.uuid4()
    assert_problem(ask(api, mod, ghost, 10, key="k-2"), "not-found")
    assert Bonus.objects.count() == 0
    assert ask(api, mod, alice, 5, key="k-1").status_code == 200
    assert ask(api, mod, player(), 1, key="k-2").status_code == 200
    assert total(alice) == MAX_TOTAL


@pytest.mark.parametrize("key", [None, "", " ", "a b", "é", "x" * 256, "\t"])
def test_a_key_is_needed_and_is_visible_ascii(api: Api, mod: User, alice: User, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = api.post(BONUS, {"user_id": str(alice.pk), "points": 1, "reason": "x"}, mod, headers)
    assert list(assert_problem(answer, "invalid-request")["errors"]) == ["Idempotency-Key"]


@pytest.mark.parametrize("key", ["x", "x" * 255, "!~:/?#[]@", "550e8400-e29b-41d4-a716-446655440000", "';--"])
def test_any_visible_ascii_is_a_key(api: Api, mod: User, alice: User, key: str) -> None:
    assert [ask(api, mod, alice, 3, key=key).status_code for _ in range(2)] == [200, 200]
    assert total(alice) == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("points", wrong) for wrong in (0, -1, MAX_BONUS + 1, 2**63, 1.0, "1", True, None, [1])),
        *(("reason", wrong) for wrong in ("", " \n", "x" * 501, None, 5)),
        *(("user_id", wrong) for wrong in ("", "me", None, 7, "0f3c2a74-5d0e-4a53-9a3e-6e2f8b1c7d9")),
        *(("delta", 5), ("source", "adjustment"), ("actor", "someone")),
    ],
)
def test_a_bad_field_is_named_and_nothing_written(api: Api, mod: User, alice: User, field: str, value: Any) -> None:
    body = {"user_id": str(alice.pk), "points": 1, "reason": "x", field: value}
    answer = api.post(BONUS, body, mod, {"Idempotency-Key": "k-1"})
    assert list(assert_problem(answer, "invalid-request")["errors"]) == [field]
    assert (total(alice), Bonus.objects.count()) == (0, 0)


def test_sixteen_at_one_moment_with_one_key_pay_once(mod: User, alice: User) -> None:
    def give_once(_: int) -> tuple[int, str, int]:
        answer = ask(Api(), mod, alice, 10, key="k-1")
        return answer.status_code, answer.json()["data"]["action_id"], answer.json()["data"]["new_score"]

    entry = ScoreHistory.objects.filter(user=alice)
    assert at_once(16, give_once) == [(200, str(entry.get().action_id), 10)] * 16
    assert total(alice) == 10


def test_of_two_bodies_at_one_moment_under_one_key_one_is_paid(mod: User, alice: User, bob: User) -> None:
    answers = at_once(16, lambda number: ask(Api(), mod, (alice, bob)[number % 2], 10, key="k-1").status_code)
    assert sorted(set(answers)) == [200, 409]  # type: ignore[type-var]
    assert answers.count(200) == 8
    assert sorted([total(alice), total(bob)]) == [0, 10]


def test_control_a_key_that_is_looked_up_and_then_kept_pays_more_than_once(mod: User, alice: User) -> None:
    seen: set[str] = set()

    def naive(_: int) -> None:
        known = "k-1" in seen
        outcome = give(alice, 10) if not known else None
        seen.add("k-1" if outcome else "")

    at_once(16, naive)
    assert total(alice) > 10
