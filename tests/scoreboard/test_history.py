"""`GET /score/{user_id}/history`: one's own, or anybody's for moderators; page by page, whatever arrives meanwhile."""

import base64
import uuid
from typing import Any

import pytest

from accounts.models import User
from scoreboard import ledger
from scoreboard.ledger import Entry
from scoreboard.models import ScoreHistory
from tests.support.admin_site import admin
from tests.support.client import Api, assert_problem
from tests.support.people import bearer, entry, give, player

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unlimited")]


def path(user: User | uuid.UUID) -> str:
    return f"/api/v1/score/{user.pk if isinstance(user, User) else user}/history"


def deltas(response: Any) -> list[int]:
    assert response.status_code == 200, response.content
    return [row["delta"] for row in response.json()["data"]]


@pytest.fixture
def moderator(db: None) -> User:
    return player("mo", role=User.Role.MODERATOR)


def give_bonus(user: User, by: User) -> None:
    bonus = Entry(
        user.pk, uuid.uuid4(), ScoreHistory.Source.BONUS, delta=50, actor_id=by.pk, reason="helped a newcomer"
    )
    ledger.record([bonus])


def test_a_player_reads_their_own_newest_first(api: Api, alice: User, bob: User) -> None:
    for delta in (5, 7, -2):
        give(alice, delta)
    give(bob, 99)
    answer = api.get(path(alice), alice)
    assert deltas(answer) == [-2, 7, 5]
    assert answer["Cache-Control"] == "private, no-store"
    body = answer.json()
    assert (body["success"], body["next"], body["previous"]) == (True, None, None)
    row = ScoreHistory.objects.order_by("-id")[0]
    newest = ScoreHistory.objects.filter(user=alice).order_by("-id")[0]
    assert row.user != newest.user
    assert body["data"][0] == {
        "id": newest.pk,
        "action_id": str(newest.action_id),
        "source": "adjustment",
        "action_type": "",
        "delta": -2,
        "value": None,
        "old_total": 12,
        "new_total": 10,
        "reason": "test",
        "metadata": None,
        "created_at": newest.created_at.isoformat().replace("+00:00", "Z"),
        "occurred_at": None,
        "boards": None,
        "actor": None,
    }


def test_the_player_learns_why_and_a_moderator_also_who(api: Api, alice: User, moderator: User) -> None:
    give_bonus(alice, moderator)
    [own] = api.get(path(alice), alice).json()["data"]
    assert (own["reason"], own["actor"]) == ("helped a newcomer", None)
    [seen] = api.get(path(alice), moderator).json()["data"]
    assert (seen["reason"], seen["actor"]) == (
        "helped a newcomer",
        {"user_id": str(moderator.pk), "username": "mo"},
    )


def test_a_player_without_a_score_has_an_empty_one(api: Api, alice: User) -> None:
    assert deltas(api.get(path(alice), alice)) == []


def test_others_are_closed_to_players_whether_they_exist_or_not(api: Api, alice: User, bob: User) -> None:
    for other in (bob, uuid.uuid4()):
        assert_problem(api.get(path(other), alice), "forbidden")


def test_moderators_and_admins_read_anybodys(api: Api, alice: User, moderator: User) -> None:
    give(alice, 5)
    for reader in (moderator, admin()):
        assert deltas(api.get(path(alice), reader)) == [5]
        assert_problem(api.get(path(uuid.uuid4()), reader), "not-found")


def test_a_disabled_moderator_is_out(api: Api, alice: User, moderator: User) -> None:
    User.objects.filter(pk=moderator.pk).update(is_active=False)
    assert_problem(api.get(path(alice), moderator), "not-authenticated")


def test_a_stranger_is_asked_to_sign_in(api: Api, alice: User) -> None:
    answer = api.get(path(alice))
    assert_problem(answer, "not-authenticated")
    assert answer["WWW-Authenticate"]


def test_pages_lead_through_all_of_it_and_back_while_new_entries_arrive(api: Api, alice: User) -> None:
    ledger.record([entry(alice, delta) for delta in range(1, 46)])
    first = api.get(path(alice) + "?page_size=20", alice)
    give(alice, 1000)
    second = api.get(first.json()["next"], alice)
    third = api.get(second.json()["next"], alice)
    pages = [deltas(page) for page in (first, second, third)]
    assert [delta for page in pages for delta in page] == list(range(45, 0, -1))
    assert third.json()["next"] is None
    assert deltas(api.get(third.json()["previous"], alice)) == pages[1]


def test_a_page_costs_the_same_however_long_the_history(
    api: Api, alice: User, moderator: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        give_bonus(alice, moderator)
    signed_in = bearer(moderator)
    with django_assert_max_num_queries(5):
        assert len(deltas(api.get(path(alice) + "?page_size=100", headers=signed_in))) == 30


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=",
        "cursor=%00",
        "cursor=%FF%FE",
        "cursor=%F0%9F%98%80",
        f"cursor={encoded(b'p=abc')}",
        f"cursor={encoded(b'p=1.5')}",
        f"cursor={encoded(b'p=-1')}",
        f"cursor={encoded(b'p=NaN')}",
        f"cursor={encoded(b'p=9223372036854775808')}",
        f"cursor={encoded(b'p=' + b'9' * 100)}",
        f"cursor={encoded(b'o=-1')}",
        f"cursor={encoded(bytes(range(128, 140)))}",
        f"cursor={'A' * 5000}",
        f"cursor={encoded(b'p=5')}&cursor={encoded(b'p=6')}",
        "page_size=0",
        "page_size=-1",
        "page_size=101",
        "page_size=x",
        "page_size=",
        "page_size=1e1",
        "page_size=NaN",
        f"page_size={2**63}",
        "page_size=5&page_size=6",
    ],
)
def test_a_query_that_makes_no_sense_is_a_400(api: Api, alice: User, query: str) -> None:
    give(alice, 5)
    document = assert_problem(api.get(f"{path(alice)}?{query}", alice), "invalid-request")
    assert list(document["errors"]) in (["cursor"], ["page_size"])


@pytest.mark.parametrize("position", [0, 1, 2**63 - 1])
def test_a_cursor_at_the_edge_is_one(api: Api, alice: User, position: int) -> None:
    give(alice, 5)
    assert api.get(f"{path(alice)}?cursor={encoded(f'p={position}'.encode())}", alice).status_code == 200


@pytest.mark.parametrize("wrong", ["me", "x", "1", "%00", "00000000000000000000000000000000"])
def test_an_id_that_is_none_is_a_404(api: Api, alice: User, wrong: str) -> None:
    assert_problem(api.get(f"/api/v1/score/{wrong}/history", alice), "not-found")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_it_is_only_read(api: Api, alice: User, method: str) -> None:
    assert_problem(api.send(method, path(alice), b"{}", alice), "method-not-allowed")
