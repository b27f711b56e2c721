"""Staff earn nothing by actions either: a token of a player who became staff is refused, on every way to redeem it."""

from typing import Any

import pytest

from accounts.models import User
from actions.models import ActionToken
from scoreboard.models import ScoreHistory
from tests.support.client import UPDATE, Api, assert_problem
from tests.support.people import player
from tests.support.queued import fresh, queued, results

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("board", "unlimited")]

RIGHTS: list[dict[str, Any]] = [
    {"role": "moderator"},
    {"role": "admin", "is_staff": True},
    {"role": "admin", "is_staff": True, "is_superuser": True},
]


def unspent(user: User) -> bool:
    """Its tokens can be redeemed once the user is a player again, until they expire."""
    return not ActionToken.objects.filter(user=user).exclude(redeemed_at=None).exists()


@pytest.mark.parametrize("rights", RIGHTS)
def test_who_is_promoted_between_minting_and_redeeming_is_told_why(
    api: Api, alice: User, rights: dict[str, Any]
) -> None:
    body = fresh(alice)
    User.objects.filter(pk=alice.pk).update(**rights)
    assert "earn no points" in assert_problem(api.post(UPDATE, body, alice), "forbidden")["detail"]
    assert not ScoreHistory.objects.exists()
    assert unspent(alice)


def test_in_a_batch_and_through_the_queue_too(api: Api, alice: User) -> None:
    before, work = fresh(alice), queued(api, alice, fresh(alice))
    assert api.post(UPDATE, before, alice).status_code == 200
    actions = [before, fresh(alice)]
    User.objects.filter(pk=alice.pk).update(role="moderator")
    answer = api.post("/api/v1/score/batch", {"actions": actions}, alice)
    assert [(one["status"], one["type"]) for one in answer.json()["data"]["results"]] == [
        (409, "/problems/already-redeemed"),
        (403, "/problems/forbidden"),
    ]
    assert [(one["status"], one["type"]) for one in results(api, alice, work)] == [(403, "/problems/forbidden")]
    assert ScoreHistory.objects.count() == 1


def test_a_moderator_in_a_group_does_not_keep_a_player_from_being_paid(api: Api, alice: User) -> None:
    mod = player()
    body = fresh(mod)
    User.objects.filter(pk=mod.pk).update(role="moderator")
    assert api.post(UPDATE, fresh(alice), alice).status_code == 200
    assert_problem(api.post(UPDATE, body, mod), "forbidden")
    User.objects.filter(pk=mod.pk).update(role="player")
    assert api.post(UPDATE, body, mod).json()["data"]["new_score"] == 50
