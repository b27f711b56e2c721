"""Players of a site that has its own users: who they are, how they appear, and how they are erased."""

import json
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from accounts import players, visibility
from accounts.models import BannedPlayer, User
from actions.models import Award
from leaderboard import reads
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory, UserScore
from tests.support.admin_site import signed_in, superuser
from tests.support.agreement import assert_agreement
from tests.support.client import MINT, TOP, Api, assert_problem
from tests.support.fixtures import forget_boards
from tests.support.people import declare, give, player, site_key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_limits", "quiet_log")]

PLAYERS, AWARDS = "/api/v1/players", "/api/v1/awards"


@pytest.fixture
def key(db: None) -> dict[str, str]:
    return site_key()


def put(api: Api, key: dict[str, str], who: str = "42", **body: Any) -> Any:
    return api.send("PUT", f"{PLAYERS}/{who}", json.dumps(body).encode(), headers=key)


def delete(api: Api, key: dict[str, str], who: str = "42") -> Any:
    return api.send("DELETE", f"{PLAYERS}/{who}", b"", headers=key)


def award(api: Api, key: dict[str, str], deed: str, who: str = "42") -> Any:
    return api.post(AWARDS, {"id": deed, "player": who, "action_type": "COMPLETE_TASK"}, headers=key)


def test_what_is_given_is_written_and_the_rest_stays(api: Api, key: dict[str, str]) -> None:
    declare("league", allowed=["gold", "silver"])
    declare("level", "integer")
    declare("vip", "boolean")
    put(api, key, name="Alex", attributes={"region": "eu", "league": "gold", "level": 3, "vip": True})
    put(api, key, avatar="https://x.example/a.png", attributes={"league": None, "level": 4})
    shown = api.get(f"{PLAYERS}/42", headers=key).json()["data"]
    assert {name: shown[name] for name in ("player", "name", "avatar", "attributes", "opted_out", "hidden")} == {
        "player": "42",
        "name": "Alex",
        "avatar": "https://x.example/a.png",
        "attributes": {"region": "eu", "level": 4, "vip": True},
        "opted_out": False,
        "hidden": False,
    }
    for wrong in (
        {"attributes": {"league": "lead"}},
        {"attributes": {"level": "4"}},
        {"opted_out": "no"},
        {"role": "admin"},
    ):
        assert_problem(put(api, key, name="Other", **wrong), "invalid-request")
    assert api.get(f"{PLAYERS}/42", headers=key).json()["data"]["name"] == "Alex"


def test_pages_show_the_players_of_the_keys_provider_alone(api: Api, key: dict[str, str], alice: User) -> None:
    ids = ["a b", "a/b", "x@example.org", "é", "00000000-0000-4000-8000-000000000000"]
    for one in ids:
        players.put("site", one, players.Description())
    players.put("shop", "elsewhere", players.Description())
    seen, after = [], ""
    while page := api.get(f"{PLAYERS}?limit=2{after}", headers=key).json():
        seen += [one["player"] for one in page["data"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert sorted(seen) == sorted(ids)
    assert [api.get(f"{PLAYERS}/{one}", headers=key).status_code for one in ids] == [200] * 5
    for query in ("limit=0", "limit=1001", "after=", "after=%00", "x=1", "limit=1&limit=2"):
        assert_problem(api.get(f"{PLAYERS}?{query}", headers=key), "invalid-request")
    for path in ("nobody", "%00", "x" * 256, "%ED%A0%80"):
        assert_problem(api.get(f"{PLAYERS}/{path}", headers=key), "not-found")
    assert_problem(put(api, key, "ext:42"), "invalid-request")


@pytest.mark.django_db(transaction=True)
def test_a_player_is_named_by_the_sites_own_id_wherever_a_user_id_is_taken(
    api: Api, key: dict[str, str], board: Board
) -> None:
    user_id = award(api, key, "1").json()["data"]["user_id"]
    other = award(api, site_key(provider="shop"), "1").json()["data"]["user_id"]
    root = superuser()
    for path in ("", "/around", "/history"):
        for name, found in (("ext:42", user_id), ("ext:site:42", user_id), ("ext:shop:42", other)):
            by_id = api.get(f"/api/v1/score/{found}{path}", root)
            assert api.get(f"/api/v1/score/{name}{path}", root).content == by_id.content
    assert api.get("/api/v1/score/ext:42", headers=site_key(provider="shop")).json()["data"]["user_id"] == other
    assert_problem(api.get("/api/v1/score/ext:41"), "not-found")
    assert_problem(api.get("/api/v1/score/ext:42/history", player()), "forbidden")
    minting = site_key("mint")
    for named in ({"user_id": "ext:42"}, {"player": "42"}, {"player": "first seen"}):
        assert api.post(MINT, {"action_type": "WIN_MATCH", **named}, headers=minting).status_code == 201
    assert_problem(api.post(MINT, {"action_type": "WIN_MATCH", "user_id": "ext:none"}, headers=minting), "not-found")
    wrong: list[dict[str, Any]] = [{}, {"user_id": "ext:42", "player": "42"}, {"player": None}]
    for body in wrong:
        assert_problem(api.post(MINT, {"action_type": "WIN_MATCH", **body}, headers=minting), "invalid-request")
    refused = api.post(MINT, {"action_type": "NO_SUCH", "player": "never made"}, headers=minting)
    assert_problem(refused, "not-found")
    assert not User.objects.filter(external_id="never made").exists()


def test_such_a_player_cannot_sign_in(api: Api, key: dict[str, str]) -> None:
    user = players.put("site", "42", players.Description(name="alice"))
    for password in ("", "!", user.password):
        body = {"username": user.username, "password": password or "x"}
        assert_problem(api.post("/api/v1/auth/token", body), "not-authenticated")
    for changes in ({"password": "pbkdf2_sha256$1$x$x"}, {"email": "a@example.org"}, {"role": "moderator"}):
        with pytest.raises(IntegrityError, match="users_of_others_cannot_sign_in"), transaction.atomic():
            User.objects.filter(pk=user.pk).update(**changes)
    with pytest.raises(IntegrityError, match="users_external_id"), transaction.atomic():
        User.objects.filter(pk=player().pk).update(external_id="43")


@pytest.mark.django_db(transaction=True)
def test_who_opted_out_is_on_no_board_and_a_moderators_act_stays(api: Api, key: dict[str, str], board: Board) -> None:
    give(player(), 5)
    user_id = award(api, key, "1").json()["data"]["user_id"]
    user = User.objects.get(pk=user_id)

    def shown() -> list[bool]:
        """On every reader: the copies and the rules (agreement), the top over the API, an embedded page, one line."""
        assert_agreement(board)
        forget_boards()
        user.refresh_from_db()
        standing = reads.player(board, user.pk)
        embed = Client().get("/embed/global").content.decode()
        return [
            user_id in [row["user_id"] for row in api.get(TOP).json()["data"]],
            f"Player {user_id[-4:]}" in embed,
            standing is not None,
            bool(reads.around(board, user.pk, 3).rows),
            user.visible,
        ]

    assert shown() == [True] * 5
    assert put(api, key, opted_out=True).json()["data"]["opted_out"]
    assert shown() == [False] * 5
    paid = award(api, key, "2").json()["data"]
    assert (paid["new_score"], paid["rank"]) == (20, None), "points are kept, without a rank"
    visibility.set_hidden([user.pk], hidden=True)
    put(api, key, opted_out=False)
    assert shown() == [False] * 5, "no call undoes what a moderator did"
    visibility.set_hidden([user.pk], hidden=False)
    assert shown() == [True] * 5
    assert UserScore.objects.get(pk=user.pk).total == 20


@pytest.mark.django_db(transaction=True)
def test_an_erased_players_id_starts_anew_with_nothing(api: Api, key: dict[str, str], board: Board) -> None:
    put(api, key, name="Alex", attributes={"region": "eu"})
    old = award(api, key, "login-of-42").json()["data"]["user_id"]
    assert delete(api, key).status_code == 204
    assert_problem(delete(api, key), "not-found")
    assert_problem(api.get(f"{PLAYERS}/42", headers=key), "not-found")
    erased = User.objects.get(pk=old)
    left = (erased.external_id, erased.display_name, erased.region, erased.attributes, erased.email)
    assert left == (None, "", "", {}, "")
    assert (Award.objects.get().external_id, BannedPlayer.objects.count()) == ("", 0)
    assert ScoreHistory.objects.get().delta == 10, "the figures stay"
    assert award(api, key, "login-of-42").json()["data"]["replayed"] is True
    assert_problem(api.get(f"{PLAYERS}/42", headers=key), "not-found")
    anew = award(api, key, "next").json()["data"]
    assert (anew["new_score"], anew["user_id"] == old) == (10, False)
    assert_problem(api.get(f"/api/v1/score/{old}"), "not-found")
    assert_agreement(board)


@pytest.mark.django_db(transaction=True)
def test_a_banned_player_does_not_come_back_by_an_erasure(api: Api, key: dict[str, str], board: Board) -> None:
    award(api, key, "1")
    user = User.objects.get(external_id="42")
    user.is_active, user.is_hidden = False, True
    visibility.save_profile(user, ["is_active", "is_hidden"])
    assert_problem(award(api, key, "2"), "player-disabled")
    assert delete(api, key).status_code == 204
    assert [len(one) for one in BannedPlayer.objects.values_list("digest", flat=True)] == [64]
    for answer in (award(api, key, "3"), put(api, key, name="Alex")):
        assert_problem(answer, "player-disabled")
    body = {"action_type": "WIN_MATCH", "player": "42"}
    assert_problem(api.post(MINT, body, headers=site_key("mint")), "player-disabled")
    assert not User.objects.filter(external_id="42").exists()
    assert award(api, site_key(provider="shop"), "1").status_code == 201, "another provider's 42 is another player"


def test_admin_finds_and_shows_a_player_by_the_sites_own_id(key: dict[str, str]) -> None:
    user = players.put("site", "customer-42", players.Description(name="Alex"))
    players.put("site", "customer-43", players.Description(name="Kim"))
    site = signed_in(superuser())
    page = site.get("/admin/accounts/user/?q=customer-42").content.decode()
    assert (">Alex<" in page, "Kim" in page) == (True, False)
    form = site.get(f"/admin/accounts/user/{user.pk}/change/").content.decode()
    assert ("customer-42" in form, 'name="username"' in form, 'name="opted_out"' in form) == (True, False, True)
    assert site.get(f"/admin/accounts/user/{user.pk}/password/").status_code == 403
