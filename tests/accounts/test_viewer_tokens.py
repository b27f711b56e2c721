"""Tokens that we sign for a site's page: `POST /viewer-tokens`, and what their bearer may."""

import json
import time
import uuid
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.utils import timezone

from accounts import api_keys, players, privacy
from accounts.identity import viewer_tokens
from accounts.models import ApiKey, User
from scoreboard.models import UserScore
from tests.support.client import MINT, UPDATE, Api, assert_problem
from tests.support.lives import everything_stored
from tests.support.people import site_key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_of_its_own", "unlimited", "quiet_log")]

VIEWER_TOKENS, AWARDS, ME = "/api/v1/viewer-tokens", "/api/v1/awards", "/api/v1/score/me"
Header = dict[str, str]


@pytest.fixture
def key(db: None) -> Header:
    return site_key("viewers", "award", "players")


def ask(api: Api, key: Header, **body: Any) -> Any:
    return api.post(VIEWER_TOKENS, body or {"player": "42"}, headers=key)


def viewer(api: Api, key: Header, who: str = "42") -> Header:
    """The header of this player's page."""
    answer = ask(api, key, player=who)
    assert answer.status_code == 200, answer.content
    return {"Authorization": f"Bearer {answer.json()['data']['token']}"}


def test_the_page_of_a_player_sees_the_own_score(api: Api, key: Header) -> None:
    answer = ask(api, key).json()["data"]
    assert set(answer) == {"token", "expires_in"}
    assert answer["expires_in"] == 600
    page = viewer(api, key)
    first = api.get(ME, headers=page).json()["data"]
    assert first["score"] == 0
    api.post(AWARDS, {"id": "1", "player": "42", "action_type": "COMPLETE_TASK"}, headers=key)
    after = api.get(ME, headers=page).json()["data"]
    assert (after["user_id"], after["score"]) == (first["user_id"], 10)
    assert User.objects.get(pk=first["user_id"]).external_id == "42"
    assert api.get(f"/api/v1/score/{first['user_id']}/history", headers=page).status_code == 200


def test_signed_with_the_key_of_sign_ins_it_is_nobodys(api: Api, key: Header) -> None:
    claims = jwt.decode(viewer(api, key)["Authorization"].split()[1], options={"verify_signature": False})
    sign_ins = str(settings.SIMPLE_JWT["SIGNING_KEY"])
    forged, control = (jwt.encode(claims, by, algorithm="HS256") for by in (sign_ins, viewer_tokens.secret()))
    assert_problem(api.get(ME, headers={"Authorization": f"Bearer {forged}"}), "not-authenticated")
    assert api.get(ME, headers={"Authorization": f"Bearer {control}"}).status_code == 200


def test_it_mints_and_redeems_what_players_grant_themselves_and_nothing_else(api: Api, key: Header) -> None:
    page = viewer(api, key)
    minted = api.post(MINT, {"action_type": "DAILY_LOGIN"}, headers=page).json()["data"]
    body = {name: minted[name] for name in ("action_id", "action_type", "action_token")}
    other = viewer(api, key, "43")
    assert_problem(api.post(UPDATE, {**body, "timestamp": time.time()}, headers=other), "token-invalid")
    paid = api.post(UPDATE, {**body, "timestamp": time.time()}, headers=page)
    assert paid.json()["data"]["new_score"] == 5
    assert_problem(api.post(MINT, {"action_type": "WIN_MATCH"}, headers=page), "not-yours-to-grant")
    assert UserScore.objects.get(user__external_id="42").total == 5


ELSEWHERE: dict[str, tuple[str, str, Any]] = {
    "bonus": ("POST", "/api/v1/score/bonus", {"user_id": str(uuid.UUID(int=1)), "points": 1, "reason": "x"}),
    "password": ("POST", "/api/v1/auth/password", {"old": "x", "new": "a long enough pass phrase"}),
    "confirm": ("POST", "/api/v1/auth/email/confirm", {"token": "x"}),
    "sign out everywhere": ("POST", "/api/v1/auth/sessions/end", {}),
    "verify": ("POST", "/api/v1/auth/token/verify", {"token": "…"}),
    "refresh": ("POST", "/api/v1/auth/token/refresh", {"refresh": "…"}),
    "sign out": ("POST", "/api/v1/auth/logout", {"refresh": "…"}),
    "export": ("GET", "/api/v1/me/export", None),
    "erase": ("DELETE", "/api/v1/me", {"password": "x"}),
    "awards": ("POST", AWARDS, {"id": "1", "player": "42", "action_type": "COMPLETE_TASK"}),
    "players": ("GET", "/api/v1/players", None),
    "another token": ("POST", VIEWER_TOKENS, {"player": "42"}),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_it_is_no_sign_in_and_no_call_of_staff_or_of_a_back_end_takes_it(api: Api, key: Header, name: str) -> None:
    method, path, body = ELSEWHERE[name]
    page = viewer(api, key)
    raw = json.dumps(body).replace("\\u2026", page["Authorization"].removeprefix("Bearer "))
    answer = api.send(method, path, b"" if body is None else raw.encode(), headers=page)
    assert_problem(answer, "not-authenticated")


def assert_no_longer(api: Api, page: Header) -> None:
    for path in (ME, "/api/v1/score/ext:42/history"):
        assert_problem(api.get(path, headers=page), "not-authenticated")
    assert_problem(api.post(MINT, {"action_type": "DAILY_LOGIN"}, headers=page), "not-authenticated")


def test_a_disabled_player_s_token_is_good_for_nothing_at_once(api: Api, key: Header) -> None:
    page = viewer(api, key)
    User.objects.filter(external_id="42").update(is_active=False)
    assert_no_longer(api, page)
    assert_problem(ask(api, key), "player-disabled")


def test_an_erased_player_s_token_is_good_for_nothing_at_once(api: Api, key: Header) -> None:
    page = viewer(api, key)
    privacy.erase_now(players.get("site", "42").pk)
    assert_no_longer(api, page)
    assert not User.objects.filter(external_id="42").exists()  # to show a token makes no player anew


def test_one_who_was_banned_and_erased_gets_none(api: Api, key: Header) -> None:
    viewer(api, key)
    User.objects.filter(external_id="42").update(is_active=False)
    privacy.erase_now(players.get("site", "42").pk)
    assert_problem(ask(api, key), "player-disabled")
    assert not User.objects.filter(external_id="42").exists()


def test_with_its_key_the_token_ends(api: Api, key: Header) -> None:
    page, others = viewer(api, key), viewer(api, site_key("viewers"))
    api_keys.revoke(ApiKey.objects.order_by("created_at")[0])
    assert_no_longer(api, page)
    assert api.get(ME, headers=others).status_code == 200
    ApiKey.objects.update(expires_at=timezone.now())
    assert_no_longer(api, others)


def test_a_player_who_became_staff_is_no_viewer(api: Api, key: Header) -> None:
    """The constraint of the table forbids it; the query would, too."""
    page = viewer(api, key)
    User.objects.filter(external_id="42").update(provider="local", external_id=None, role="moderator")
    assert_no_longer(api, page)


def test_a_key_without_the_scope_gets_none(api: Api) -> None:
    assert_problem(ask(api, site_key("award", "players", "mint")), "forbidden")
    assert_problem(ask(api, {"Authorization": "Bearer sb_000000000000_" + "x" * 43}), "forbidden")
    assert_problem(ask(api, {}), "not-authenticated")
    assert not User.objects.exists()


NO_IDS: list[Any] = [42, None, "", "\0", "ext:42", "EXT:42", ".", "..", "x" * 256, "\ud800", [], {}]
NO_BODIES: list[Any] = [
    *({}, [], "42", None),
    *({"player": wrong} for wrong in NO_IDS),
    {"player": "42", "user_id": str(uuid.UUID(int=1))},
    {"user_id": str(uuid.UUID(int=1))},
    {"player": "42", "expires_in": 10**9},
]


@pytest.mark.parametrize("body", NO_BODIES, ids=ascii)
def test_a_body_that_names_no_player_makes_none(api: Api, key: Header, body: Any) -> None:
    assert_problem(api.post(VIEWER_TOKENS, body, headers=key), "invalid-request")
    assert not User.objects.exists()


def test_a_player_is_of_the_keys_provider(api: Api, key: Header) -> None:
    shop = site_key("viewers", provider="shop")
    ours, theirs = (api.get(ME, headers=viewer(api, one)).json()["data"]["user_id"] for one in (key, shop))
    assert ours != theirs
    assert set(User.objects.values_list("provider", "external_id")) == {("site", "42"), ("shop", "42")}
    assert api.get("/api/v1/score/ext:42/history", headers=viewer(api, shop)).status_code == 200


def test_an_id_that_looks_like_ours_is_the_sites_own(api: Api, key: Header, alice: User) -> None:
    page = viewer(api, key, str(alice.pk))
    assert api.get(ME, headers=page).json()["data"]["user_id"] != str(alice.pk)


def test_the_token_is_stored_nowhere(api: Api, key: Header) -> None:
    page = viewer(api, key)
    stored = everything_stored()
    assert "42" in stored
    assert not any(part in stored for part in page["Authorization"].split(".")[1:])


def test_a_look_at_it_costs_one_query(api: Api, key: Header, django_assert_num_queries: Any) -> None:
    page = viewer(api, key)
    api.get(ME, headers=page)
    with django_assert_num_queries(1):
        assert_problem(api.get(f"{ME}?x=1", headers=page), "invalid-request")
