"""Tokens of a separate signer: this server holds its public key, spends what it issued inside the catalogue, once."""

import uuid
from collections import Counter
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts import api_keys
from accounts.models import User
from actions.models import ActionToken, ActionType
from scoreboard.models import ScoreHistory
from tests.support.client import MINT, UPDATE, Api, assert_problem
from tests.support.people import player, total
from tests.support.races import at_once
from tests.support.signer import Signer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh_limits", "board")]


@pytest.fixture
def signer(settings: Settings) -> Signer:
    signer = Signer()
    settings.ACTION_TOKEN_KEYS = [signer.setting]
    edit(granted_by="signer")
    return signer


def edit(**changes: Any) -> None:
    ActionType.objects.filter(slug="WIN_MATCH").update(**changes)


def test_what_it_issued_scores(api: Api, signer: Signer, alice: User) -> None:
    body = signer.body(alice)
    data = api.post(UPDATE, body, alice).json()["data"]
    assert data == {"action_id": body["action_id"], "new_score": 50, "rank": 1, "score_delta": 50}
    row = ActionToken.objects.get(pk=body["action_id"])
    assert row.redeemed_at is not None
    assert (row.user, row.action_type, row.points) == (alice, "WIN_MATCH", 50)


def test_beside_it_this_server_issues_what_is_its_own(api: Api, signer: Signer, alice: User) -> None:
    _, text = api_keys.issue("game server", ["mint"])
    key = {"X-API-Key": text}
    body = {"user_id": str(alice.pk), "action_type": "WIN_MATCH"}
    assert_problem(api.post(MINT, {"action_type": "WIN_MATCH"}, alice), "not-yours-to-grant")
    assert_problem(api.post(MINT, body, headers=key), "not-yours-to-grant")
    assert not ActionToken.objects.exists()
    assert api.post(MINT, {**body, "action_type": "DAILY_LOGIN"}, headers=key).status_code == 201
    assert api.post(MINT, {"action_type": "DAILY_LOGIN"}, alice).status_code == 201


@pytest.mark.parametrize("granted_by", ["back_end", "player"])
def test_it_grants_no_type_but_its_own(api: Api, signer: Signer, alice: User, granted_by: str) -> None:
    edit(granted_by=granted_by, cooldown=1)
    assert_problem(api.post(UPDATE, signer.body(alice), alice), "token-invalid")
    assert (total(alice), ActionToken.objects.count()) == (0, 0)


def test_thirty_two_at_one_moment_are_paid_once(signer: Signer, alice: User, settings: Settings) -> None:
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "off")
    body = signer.body(alice)

    def redeem(_: int) -> tuple[int, Any]:
        answer = Api().post(UPDATE, body, alice)
        return answer.status_code, answer.json().get("original", {}).get("new_score")

    assert Counter(at_once(32, redeem)) == {(200, None): 1, (409, 50): 31}
    assert (total(alice), ScoreHistory.objects.filter(user=alice).count()) == (50, 1)


@pytest.mark.parametrize(
    ("bounds", "points", "status"),
    [
        *(({}, points, status) for points, status in ((50, 200), (49, 403), (51, 403), (0, 403), (2**31, 403))),
        *(({"min_points": 20}, points, status) for points, status in ((20, 200), (19, 403), (50, 200), (51, 403))),
        *(({"max_points": 90}, points, status) for points, status in ((90, 200), (91, 403), (50, 200), (49, 403))),
        ({}, 2**36, 403),
    ],
)
def test_points_stay_inside_the_catalogue(
    api: Api, signer: Signer, alice: User, bounds: dict[str, int], points: int, status: int
) -> None:
    edit(**bounds)
    answer = api.post(UPDATE, signer.body(alice, points), alice)
    assert answer.status_code == status
    assert total(alice) == (points if status == 200 else 0)
    assert ActionToken.objects.exists() == (status == 200)
    if status == 403:
        assert_problem(answer, "token-invalid")


def test_what_the_catalogue_does_not_offer_is_refused(api: Api, signer: Signer, alice: User) -> None:
    assert_problem(api.post(UPDATE, signer.body(alice, action_type="NO_SUCH"), alice), "token-invalid")
    edit(enabled=False)
    assert_problem(api.post(UPDATE, signer.body(alice), alice), "token-invalid")
    assert (total(alice), ActionToken.objects.count()) == (0, 0)


def test_for_whom_it_was_issued_must_be_an_active_player_and_the_caller(
    api: Api, signer: Signer, alice: User, bob: User
) -> None:
    assert_problem(api.post(UPDATE, signer.body(bob), alice), "token-invalid")
    ghost = User(id=uuid.uuid4(), username="ghost")
    banned = player(is_active=False)
    for user in (ghost, banned):
        assert_problem(api.post(UPDATE, signer.body(user), user), "not-authenticated")
    assert not ScoreHistory.objects.exists()


def test_an_action_id_that_is_taken_is_not_paid_again_or_more(api: Api, signer: Signer, alice: User) -> None:
    edit(max_points=500)
    first = signer.body(alice, 50)
    assert api.post(UPDATE, first, alice).status_code == 200
    dearer = signer.body(alice, 500, jti=first["action_id"])
    assert_problem(api.post(UPDATE, dearer, alice), "token-invalid")
    same = signer.body(alice, 50, jti=first["action_id"])
    assert assert_problem(api.post(UPDATE, same, alice), "already-redeemed")["original"]["new_score"] == 50
    assert total(alice) == 50


def test_an_action_id_of_another_player_is_not_spent_for_them(api: Api, signer: Signer, alice: User, bob: User) -> None:
    first = signer.body(alice)
    assert_problem(api.post(UPDATE, signer.body(bob, jti=first["action_id"]), alice), "token-invalid")
    assert api.post(UPDATE, signer.body(bob, jti=first["action_id"]), bob).status_code == 200
    assert_problem(api.post(UPDATE, first, alice), "token-invalid")
    assert (total(alice), total(bob)) == (0, 50)


def test_it_decides_itself_how_often_and_how_soon(api: Api, signer: Signer, alice: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "actions": "1/hour"}
    edit(cooldown=3600, min_seconds=100, max_per_hour=1)
    assert [api.post(UPDATE, signer.body(alice), alice).status_code for _ in range(3)] == [200] * 3
