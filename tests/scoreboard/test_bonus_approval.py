"""Bonuses beyond what one giver may give alone in a day wait, unpaid, for a second person."""

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db.models import F, Sum
from pytest_django.fixtures import Settings

from accounts import privacy
from accounts.models import User
from scoreboard import approvals, bonus
from scoreboard.models import Bonus, ScoreHistory
from tests.support.admin_site import admin, said, signed_in, superuser
from tests.support.client import Api, assert_problem
from tests.support.people import player, total
from tests.support.processes import PATIENCE
from tests.support.races import at_once, none_failed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]

BONUS = "/api/v1/score/bonus"
BONUSES = "/admin/scoreboard/bonus/"


@pytest.fixture(autouse=True)
def a_hundred_a_day(settings: Settings) -> None:
    settings.BONUS_DAILY = 100


def ask(who: User, to: User, points: int, key: str = "") -> Any:
    body = {"user_id": str(to.pk), "points": points, "reason": "won the cup"}
    return Api().post(BONUS, body, who, {"Idempotency-Key": key or uuid.uuid4().hex})


def waiting(mod: User, to: User, points: int = 101, key: str = "big") -> Bonus:
    assert ask(mod, to, points, key).status_code == 202
    return Bonus.objects.get(actor=mod, key=key)


def decide(who: User, decision: str, *bonuses: Bonus) -> list[str]:
    body = {"action": decision, "_selected_action": [str(one.pk) for one in bonuses], "index": "0"}
    return said(signed_in(who).post(BONUSES, body, follow=True))


def test_a_day_s_sum_is_paid_and_what_goes_beyond_it_waits(mod: User, alice: User) -> None:
    assert [ask(mod, alice, points).status_code for points in (60, 40, 1)] == [200, 200, 202]
    assert total(alice) == 100
    Bonus.objects.update(created_at=F("created_at") - timedelta(hours=24))
    assert [ask(mod, alice, points).status_code for points in (101, 100, 1)] == [202, 200, 202]
    assert total(alice) == 200
    assert ask(player(role=User.Role.MODERATOR), alice, 100).status_code == 200, "each giver has a sum of their own"


def test_a_repeat_tells_what_has_become_of_it(mod: User, alice: User, bob: User) -> None:
    first = ask(mod, alice, 101, "k-1").json()["data"]
    assert first == {"action_id": str(Bonus.objects.get().pk), "state": "waiting"}
    repeat = ask(mod, alice, 101, "k-1")
    assert (repeat.status_code, repeat.json()["data"]) == (202, first)
    assert_problem(ask(mod, alice, 102, "k-1"), "id-reused")
    approvals.approve(Bonus.objects.get().pk, bob)
    paid = ask(mod, alice, 101, "k-1")
    data = {"action_id": first["action_id"], "new_score": 101, "rank": 1, "score_delta": 101}
    assert (paid.status_code, paid.json()["data"]) == (200, data)
    refused = waiting(mod, alice, key="k-2")
    approvals.refuse(refused.pk, bob)
    assert_problem(ask(mod, alice, 101, "k-2"), "forbidden")
    assert total(alice) == 101


def test_sixteen_at_one_moment_stay_within_the_sum(mod: User, alice: User, bob: User) -> None:
    statuses = none_failed(at_once(16, lambda number: ask(mod, (alice, bob)[number % 2], 10).status_code))
    assert sorted(statuses) == [200] * 10 + [202] * 6
    assert total(alice) + total(bob) == 100


def test_control_a_sum_that_is_read_without_the_lock_is_exceeded(
    mod: User, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = threading.Barrier(4)

    def unlocked(actor_id: uuid.UUID) -> int:
        given = Bonus.objects.filter(actor_id=actor_id).aggregate(points=Sum("points"))["points"] or 0
        read.wait(PATIENCE)
        return int(given)

    monkeypatch.setattr(bonus, "given_alone", unlocked)
    monkeypatch.setattr(bonus, "lock", lambda *ids: {user.pk: user for user in User.objects.filter(pk__in=ids)})
    assert none_failed(at_once(4, lambda _: ask(mod, alice, 60).status_code)) == [200] * 4


@pytest.mark.parametrize("someone", [admin, superuser])
def test_a_second_person_approves_and_the_log_says_so(mod: User, alice: User, someone: Any) -> None:
    found, second = waiting(mod, alice), someone()
    page = signed_in(second).get(BONUSES, {"state__exact": "waiting"})
    assert [one.pk for one in page.context["cl"].result_list] == [found.pk]
    assert decide(second, "approve", found) == ["101 points to alice are paid."]
    found.refresh_from_db()
    assert (found.state, found.decided_by) == ("paid", second)
    row = ScoreHistory.objects.get(user=alice)
    assert (row.actor, row.source, row.delta, row.action_id) == (mod, "bonus", 101, found.pk)
    assert LogEntry.objects.get(user=second).change_message == "Approved: 101 points from mod."


def test_neither_giver_nor_receiver_nor_who_may_not_give_decides(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    root = superuser()
    found = waiting(root, alice)
    for decision in ("approve", "refuse"):
        [sentence] = decide(root, decision, found)
        assert sentence.startswith(f"{found}: neither its giver nor its receiver decides about it")
    User.objects.filter(pk=alice.pk).update(role="admin", is_staff=True)
    alice.refresh_from_db()
    assert "neither" in decide(alice, "approve", found)[0]
    monkeypatch.setattr("accounts.roles.PERMISSIONS", {"admin": frozenset({"scoreboard.view_bonus"})})
    decide(admin(), "approve", found)
    found.refresh_from_db()
    assert (found.state, total(alice)) == ("waiting", 0)


def test_however_often_and_by_however_many_it_is_approved_it_is_paid_once(mod: User, alice: User) -> None:
    found, people = waiting(mod, alice), [superuser(f"root-{number}") for number in range(4)]

    def click(number: int) -> str:
        try:
            approvals.approve(found.pk, people[number % 4])
        except approvals.NotPossible:
            return "decided"
        return "paid"

    assert sorted(none_failed(at_once(16, click))) == ["decided"] * 15 + ["paid"]
    assert (total(alice), ScoreHistory.objects.count(), LogEntry.objects.count()) == (101, 1, 1)


def test_what_a_second_person_approved_does_not_use_up_the_sum(mod: User, alice: User, bob: User) -> None:
    approvals.approve(waiting(mod, alice).pk, bob)
    assert [ask(mod, alice, points).status_code for points in (100, 1)] == [200, 202]


def test_what_was_refused_is_never_paid(mod: User, alice: User) -> None:
    found = waiting(mod, alice)
    decide(superuser(), "refuse", found)
    assert decide(superuser("other"), "approve", found) == [f"{found}: it is refused already."]
    assert total(alice) == 0


GONE: list[tuple[dict[str, Any], str]] = [
    ({"is_active": False}, "player-disabled"),
    ({"role": "moderator"}, "forbidden"),
    ({"erased": True}, "not-found"),
]


def leave(user: User, change: dict[str, Any]) -> None:
    if "erased" in change:
        privacy.erase(user.pk)
    else:
        User.objects.filter(pk=user.pk).update(**change)


@pytest.mark.parametrize(("change", "kind"), GONE)
def test_no_bonus_for_who_is_disabled_staff_or_erased(
    mod: User, alice: User, change: dict[str, Any], kind: str
) -> None:
    leave(alice, change)
    for points in (1, 101):
        assert_problem(ask(mod, alice, points), kind)
    assert (total(alice), Bonus.objects.count()) == (0, 0)


@pytest.mark.parametrize(("change", "kind"), GONE)
def test_nor_by_an_approval_that_comes_later(mod: User, alice: User, change: dict[str, Any], kind: str) -> None:
    found = waiting(mod, alice)
    leave(alice, change)
    [told] = decide(superuser(), "approve", found)
    assert "still wait" in told
    found.refresh_from_db()
    assert (found.state, total(alice)) == ("waiting", 0)


def test_a_repeat_hears_the_first_answer_whatever_became_of_its_player(mod: User, alice: User) -> None:
    first = ask(mod, alice, 10, "k-1").json()["data"]
    privacy.erase(alice.pk)
    repeat = ask(mod, alice, 10, "k-1")
    assert (repeat.status_code, repeat.json()["data"]["action_id"]) == (200, first["action_id"])


def test_who_can_give_bonuses_receives_none(mod: User, bob: User) -> None:
    """Whatever role they have: a permission can be given to a single player."""
    bob.user_permissions.add(Permission.objects.get(codename="give_bonus"))
    assert_problem(ask(mod, bob, 1), "forbidden")
    assert total(bob) == 0
