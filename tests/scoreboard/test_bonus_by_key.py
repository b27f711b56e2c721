"""Bonuses by API keys with the scope `bonus`: the path, the bounds and the second person of a moderator's."""

import uuid
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, transaction
from pytest_django.fixtures import Settings

from accounts import api_keys, players
from accounts.models import ApiKey, AuditLog, User
from scoreboard import approvals
from scoreboard.models import MAX_BONUS, Bonus, ScoreHistory
from tests.support.admin_site import admin, signed_in, superuser
from tests.support.client import MINT, TOP, Api, assert_problem
from tests.support.people import player, site_key, total
from tests.support.races import at_once, none_failed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited", "quiet_log")]

BONUS, AWARDS = "/api/v1/score/bonus", "/api/v1/awards"

Issued = tuple[ApiKey, str]


@pytest.fixture(autouse=True)
def a_hundred_a_day(settings: Settings) -> None:
    settings.BONUS_DAILY = 100


@pytest.fixture
def issued(db: None) -> Issued:
    return api_keys.issue("my shop", ["bonus"], created_by=superuser())


def ask(text: str, to: User | str, points: Any = 10, key: str = "", **body: Any) -> Any:
    user_id = str(to.pk) if isinstance(to, User) else to
    headers = {"Idempotency-Key": key or uuid.uuid4().hex, "X-API-Key": text}
    return Api().post(BONUS, {"user_id": user_id, "points": points, "reason": "won the cup", **body}, headers=headers)


def test_a_key_gives_and_history_and_admin_name_it(api: Api, issued: Issued, alice: User) -> None:
    key, text = issued
    answer = ask(text, alice, key="k-1")
    assert answer.status_code == 200, answer.content
    assert (answer.json()["data"]["new_score"], answer.json()["data"]["rank"]) == (10, 1)
    row = ScoreHistory.objects.get()
    assert (row.user, row.actor, row.source, row.reason) == (alice, key.actor, "bonus", "won the cup")
    again = ask(text, alice, key="k-1")
    assert (again.status_code, again.json()["data"]) == (200, answer.json()["data"])
    assert assert_problem(ask(text, alice, 11, "k-1"), "id-reused")["original"]["points"] == 10
    assert total(alice) == 10
    [entry] = api.get(f"/api/v1/score/{alice.pk}/history", headers=site_key("read")).json()["data"]
    assert entry["actor"]["username"] == f"my shop (sb_{key.prefix}_…)"
    assert (
        f"my shop (sb_{key.prefix}_…)" in signed_in(superuser("root2")).get("/admin/scoreboard/bonus/").content.decode()
    )


def test_it_takes_a_sites_own_id_and_makes_no_player(issued: Issued) -> None:
    player = players.put("site", "42", players.Description())
    assert ask(issued[1], "ext:42").status_code == 200
    assert total(player) == 10
    assert_problem(ask(issued[1], "ext:43"), "not-found")
    assert_problem(ask(issued[1], "ext:shop:42"), "not-found")


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": 0},
        {"points": MAX_BONUS + 1},
        {"points": "10"},
        {"reason": " "},
        {"reason": "\0"},
        {"user_id": "42"},
        {"user_id": None},
        {"player": "42"},
    ],
)
def test_bad_input(issued: Issued, alice: User, wrong: dict[str, Any]) -> None:
    assert_problem(
        ask(issued[1], alice, **{"points": 10, **wrong})
        if "user_id" not in wrong
        else Api().post(
            BONUS, {"points": 1, "reason": "x", **wrong}, headers={"Idempotency-Key": "k", "X-API-Key": issued[1]}
        ),
        "invalid-request",
    )
    assert not Bonus.objects.exists()


def test_what_a_day_allows_goes_over_to_its_successor_and_so_do_its_idempotency_keys(
    issued: Issued, alice: User
) -> None:
    key, text = issued
    assert [ask(text, alice, 60, "k-1").status_code, ask(text, alice, 41).status_code] == [200, 202]
    successor, new_text = api_keys.rotate(key)
    assert successor.actor == key.actor
    assert ask(new_text, alice, 60, "k-1").status_code == 200
    assert [ask(new_text, alice, 41).status_code, ask(new_text, alice, 40).status_code] == [202, 200]
    assert total(alice) == 100
    other = api_keys.issue("another", ["bonus"])[1]
    assert ask(other, alice, 100, "k-1").status_code == 200, "each key that was issued anew is a giver of its own"


def test_sixteen_at_one_moment_stay_within_the_sum(issued: Issued, alice: User) -> None:
    told = none_failed(at_once(16, lambda _: ask(issued[1], alice, 20).status_code))
    assert sorted(told) == [200] * 5 + [202] * 11
    assert total(alice) == 100


def test_who_issued_or_rotated_the_key_is_no_second_person(issued: Issued, alice: User) -> None:
    key, text = issued
    rotator, second = admin("rotator"), admin("second")
    api_keys.rotate(key, created_by=rotator)
    assert ask(text, alice, 101).status_code == 202
    bonus = Bonus.objects.get()
    issuer = key.created_by
    assert issuer
    for first in (issuer, rotator):
        for decision in (approvals.approve, approvals.refuse):
            with pytest.raises(approvals.NotPossible, match="issued"):
                decision(bonus.pk, first)
    approvals.approve(bonus.pk, second)
    assert total(alice) == 101
    assert f"from {key.actor}" in LogEntry.objects.latest("action_time").change_message


def test_who_gets_none(issued: Issued, alice: User) -> None:
    key, text = issued
    assert key.actor
    for receiver in (key.actor, admin(), player(role=User.Role.MODERATOR)):
        assert_problem(ask(text, receiver), "forbidden")
    assert_problem(ask(text, player(is_active=False)), "player-disabled")
    other = api_keys.issue("another", ["bonus"])[0].actor
    assert other
    assert_problem(ask(text, other), "player-disabled")
    assert not ScoreHistory.objects.exists()


def test_without_the_scope_revoked_or_made_up_it_is_refused_and_on_record(issued: Issued, alice: User) -> None:
    key, text = issued
    _, without = api_keys.issue("other", [scope for scope in ApiKey.Scope.values if scope != "bonus"])
    assert "`bonus`" in assert_problem(ask(without, alice), "forbidden")["detail"]
    api_keys.revoke(key)
    for bad in (text, "sb_0123456789ab_" + "x" * 43, "x"):
        assert_problem(ask(bad, alice), "forbidden")
    assert not Bonus.objects.exists()


def test_its_name_in_the_history_is_no_player(api: Api, issued: Issued) -> None:
    """It cannot sign in, be another player's id, be on a board or be given points."""
    key, _ = issued
    actor = key.actor
    assert actor
    assert (actor.provider, actor.has_usable_password(), actor.email, actor.visible) == ("back-end", False, "", False)
    assert_problem(api.get(f"/api/v1/score/{actor.pk}"), "not-found")
    assert_problem(api.get(f"/api/v1/score/ext:back-end:{key.pk}"), "not-found")
    everything = site_key("award", "mint", "players")
    deed = {"id": "1", "action_type": "COMPLETE_TASK"}
    assert_problem(api.post(AWARDS, {**deed, "user_id": str(actor.pk)}, headers=everything), "player-disabled")
    minted = {"action_type": "WIN_MATCH", "user_id": str(actor.pk)}
    assert_problem(api.post(MINT, minted, headers=everything), "player-disabled")
    assert api.get("/api/v1/players", headers=everything).json()["data"] == []
    assert api.get(TOP).json()["data"] == []
    with pytest.raises(Exception, match="are taken"):
        api_keys.issue("sneaky", ["award"], provider="back-end")


def test_no_key_gives_without_a_name(issued: Issued) -> None:
    key, _ = api_keys.issue("other", ["award"])
    assert key.actor is None
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.filter(pk=key.pk).update(scopes=["award", "bonus"])
    assert not AuditLog.objects.exists()
