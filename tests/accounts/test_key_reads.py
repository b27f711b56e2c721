"""What a key with the scope `read` reads that the public cannot, and that no other key reads it."""

import itertools
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts import players, visibility
from accounts.models import ApiKey, User
from leaderboard.boards import Board
from scoreboard import bonus
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import give, player, site_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh_limits", "quiet_log")]

OTHERS = [scope.value for scope in ApiKey.Scope if scope != ApiKey.Scope.READ]
WRITES = {
    ("POST", "/api/v1/awards"),
    ("POST", "/api/v1/awards/batch"),
    ("DELETE", "/api/v1/awards/1"),
    ("PUT", "/api/v1/players/42"),
    ("DELETE", "/api/v1/players/42"),
    ("POST", "/api/v1/viewer-tokens"),
    ("POST", "/api/v1/action/token"),
    ("POST", "/api/v1/score/bonus"),
}


@pytest.fixture
def reader(db: None) -> dict[str, str]:
    return site_key("read")


def names_its_scope(answer: Any, *scopes: str) -> None:
    detail = assert_problem(answer, "forbidden")["detail"]
    assert all(f"`{scope}`" in detail for scope in scopes), detail


def test_it_reads_the_players_of_its_provider_and_changes_none(api: Api, reader: dict[str, str]) -> None:
    players.put("site", "42", players.Description(name="Alex"))
    players.put("shop", "43", players.Description())
    assert [one["player"] for one in api.get("/api/v1/players", headers=reader).json()["data"]] == ["42"]
    assert api.get("/api/v1/players/42", headers=reader).json()["data"]["name"] == "Alex"
    assert_problem(api.get("/api/v1/players/43", headers=reader), "not-found")
    for method, path in WRITES:
        names_its_scope(api.send(method, path, b"{}", headers=reader))
    assert User.objects.filter(external_id="42", display_name="Alex").exists()
    for scope in set(OTHERS) - {"players"}:
        for path in ("/api/v1/players", "/api/v1/players/42"):
            names_its_scope(api.get(path, headers=site_key(scope)), "players", "read")


def test_it_reads_any_history_and_who_acted(api: Api, board: Board, alice: User, reader: dict[str, str]) -> None:
    mod = player("mod", role=User.Role.MODERATOR)
    bonus.give(mod.pk, "k", alice.pk, 5, "won the cup")
    [entry] = api.get(f"/api/v1/score/{alice.pk}/history", headers=reader).json()["data"]
    assert (entry["delta"], entry["actor"]["username"]) == (5, "mod")
    assert_problem(api.get("/api/v1/score/ext:none/history", headers=reader), "not-found")
    for scope in OTHERS:
        names_its_scope(api.get(f"/api/v1/score/{alice.pk}/history", headers=site_key(scope)), "read")
    assert_problem(api.get(f"/api/v1/score/{alice.pk}/history"), "not-authenticated")


def test_it_reads_a_board_that_is_not_public(
    api: Api, board: Board, alice: User, reader: dict[str, str], settings: Settings
) -> None:
    settings.LEADERBOARD_PUBLIC = False
    give(alice, 5)
    visibility.set_hidden([give(player(), 9).user_id], hidden=True)
    for path in (TOP, f"/api/v1/score/{alice.pk}", f"/api/v1/score/{alice.pk}/around"):
        answer = api.get(path, headers=reader)
        assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-cache"), path
        assert "X-API-Key" in answer["Vary"]
        for scope in OTHERS:
            names_its_scope(api.get(path, headers=site_key(scope)), "read")
        assert_problem(api.get(path), "not-authenticated")
    assert [row["score"] for row in api.get(TOP, headers=reader).json()["data"]] == [5]
    assert_problem(api.get("/api/v1/score/me", headers=reader), "not-authenticated")


def test_on_a_private_board_it_is_charged_to_the_key_and_on_a_public_one_nobody_escapes_the_address_by_it(
    api: Api, board: Board, settings: Settings
) -> None:
    settings.LIMITS = {**settings.LIMITS, "ip": "2/hour"}
    made_up = {"X-API-Key": "sb_0123456789ab_" + "x" * 43}
    assert [api.get(TOP, headers=made_up).status_code for _ in range(3)] == [200, 200, 429]
    settings.LEADERBOARD_PUBLIC = False
    reader = site_key("read", limit="4/hour")
    assert [api.get(TOP, headers=reader).status_code for _ in range(5)] == [200] * 4 + [429]


def test_scopes_go_together(api: Api, alice: User) -> None:
    for scopes in itertools.combinations(ApiKey.Scope.values, 2):
        answer = api.get(f"/api/v1/score/{alice.pk}/history", headers=site_key(*scopes))
        assert answer.status_code == (200 if "read" in scopes else 403), scopes
