"""A site's own tokens: VIEWER_KEYS, over REST. The live side's are in tests/system/live/test_site_tokens.py."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts import players, privacy
from accounts.models import BannedPlayer, User
from tests.support.client import MINT, UPDATE, Api, assert_problem
from tests.support.issuer import (
    BAD_TOKENS,
    MAKERS,
    OLD_SECRET,
    KeyServer,
    key_server,
    published,
    shops,
    signed,
    viewer_keys,
)
from tests.support.people import player, site_key
from tests.support.races import at_once, none_failed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_of_its_own", "unlimited", "quiet_log")]

AWARDS, ME = "/api/v1/awards", "/api/v1/score/me"


@pytest.fixture(scope="module")
def published_keys() -> Iterator[KeyServer]:
    with key_server(*published()) as server:
        yield server


@pytest.fixture(autouse=True)
def keys(settings: Settings, published_keys: KeyServer) -> KeyServer:
    settings.VIEWER_KEYS = viewer_keys(published_keys.address)
    return published_keys


def page(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("algorithm", MAKERS)
def test_a_token_of_a_listed_issuer_makes_its_player_a_player(api: Api, algorithm: str) -> None:
    mine = api.get(ME, headers=page(signed(algorithm)))
    assert mine.status_code == 200, mine.content
    known = User.objects.get(pk=mine.json()["data"]["user_id"])
    assert (known.provider, known.external_id, known.role) == ("accounts", "42", "player")
    assert api.get(ME, headers=page(signed(algorithm))).json() == mine.json()


def test_a_shared_secret_will_do_and_so_will_the_one_before(api: Api) -> None:
    for token in (shops(), shops(key=OLD_SECRET), shops(aud=["elsewhere", "board"]), shops(iat=...)):
        assert api.get(ME, headers=page(token)).status_code == 200
    assert User.objects.get().provider == "shop"


def test_an_award_and_the_page_speak_of_the_same_player(api: Api) -> None:
    awarded = api.post(
        AWARDS, {"id": "1", "player": "42", "action_type": "COMPLETE_TASK"}, headers=site_key("award", provider="shop")
    ).json()["data"]
    mine = api.get(ME, headers=page(shops())).json()["data"]
    assert (mine["user_id"], mine["score"]) == (awarded["user_id"], 10)
    assert api.get(ME, headers=page(signed())).json()["data"]["score"] == 0  # another issuer's 42
    history = api.get("/api/v1/score/ext:42/history", headers=page(shops())).json()["data"]
    assert [entry["delta"] for entry in history] == [10]


def test_it_mints_and_redeems_what_players_grant_themselves(api: Api) -> None:
    minted = api.post(MINT, {"action_type": "DAILY_LOGIN"}, headers=page(shops())).json()["data"]
    body = {name: minted[name] for name in ("action_id", "action_type", "action_token")} | {"timestamp": time.time()}
    assert_problem(api.post(UPDATE, body, headers=page(signed())), "token-invalid")
    assert api.post(UPDATE, body, headers=page(shops())).json()["data"]["new_score"] == 5
    assert_problem(api.post(MINT, {"action_type": "WIN_MATCH"}, headers=page(shops())), "not-yours-to-grant")


@pytest.mark.parametrize("path", [ME, "/api/v1/score/ext:42/history"])
def test_a_bad_token_is_nobodys_and_makes_nobody(api: Api, path: str) -> None:
    wrong: dict[str, str] = {}
    for fault, forge in BAD_TOKENS.items():
        try:
            answer = api.get(path, headers=page(forge()))
            assert_problem(answer, "not-authenticated")
            assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
        except AssertionError as error:
            wrong[fault] = str(error)
    assert wrong == {}
    assert not User.objects.exists()


def test_the_sentence_says_what_is_wrong(api: Api) -> None:
    for token, word in (
        (signed(exp=time.time() - 100), "expired"),
        (signed(exp=time.time() + 200_000), "more than a day"),
        (signed(aud="elsewhere"), "aud"),
        (signed(sub=7), "sub"),
        (signed(header={"kid": "nonsense"}), "key"),
        (shops(key="k" * 40), "signature"),
    ):
        assert word in assert_problem(api.get(ME, headers=page(token)), "not-authenticated")["detail"]


def test_a_subject_that_looks_like_ours_is_the_sites_own(api: Api, alice: User) -> None:
    named = api.get(ME, headers=page(shops(sub=str(alice.pk)))).json()["data"]["user_id"]
    assert named != str(alice.pk)
    moderator = player(role=User.Role.MODERATOR)
    for sub in (str(moderator.pk), moderator.username):
        body = {"user_id": str(alice.pk), "points": 1, "reason": "x"}
        answer = api.post("/api/v1/score/bonus", body, headers={**page(shops(sub=sub)), "Idempotency-Key": "1"})
        assert_problem(answer, "not-authenticated")
        assert_problem(api.get(f"/api/v1/score/{alice.pk}/history", headers=page(shops(sub=sub))), "forbidden")


@pytest.mark.parametrize("path", ["/api/v1/me/export", "/api/v1/auth/password", "/api/v1/score/bonus"])
def test_no_call_about_an_account_and_none_of_staff_takes_it(api: Api, path: str) -> None:
    call = api.get if path.endswith("export") else lambda where, headers: api.post(where, {}, headers=headers)
    assert_problem(call(path, headers=page(shops())), "not-authenticated")
    assert not User.objects.exists()


def test_who_is_disabled_is_refused_at_once_and_who_was_banned_is_not_made_anew(api: Api) -> None:
    api.get(ME, headers=page(shops()))
    User.objects.update(is_active=False)
    assert_problem(api.get(ME, headers=page(shops())), "not-authenticated")
    assert_problem(api.post(MINT, {"action_type": "DAILY_LOGIN"}, headers=page(shops())), "not-authenticated")
    privacy.erase_now(players.get("shop", "42").pk)
    assert BannedPlayer.objects.count() == 1
    assert_problem(api.get(ME, headers=page(shops())), "not-authenticated")
    assert not User.objects.filter(external_id="42").exists()


def test_after_an_erasure_a_token_starts_a_new_player_with_nothing(api: Api) -> None:
    """As documented: the site stops giving out tokens first."""
    first = api.get(ME, headers=page(shops())).json()["data"]["user_id"]
    privacy.erase_now(uuid.UUID(first))
    second = api.get(ME, headers=page(shops())).json()["data"]
    assert second["user_id"] != first
    assert second["score"] == 0


def test_a_player_who_is_known_costs_one_query(api: Api, django_assert_num_queries: Any) -> None:
    api.get(ME, headers=page(signed()))
    with django_assert_num_queries(1):
        assert_problem(api.get(f"{ME}?x=1", headers=page(signed())), "invalid-request")


def test_whose_42_is_meant_is_told_by_the_token(api: Api) -> None:
    for token in (shops(), signed()):
        mine = api.get(ME, headers=page(token)).json()["data"]["user_id"]
        assert api.get("/api/v1/score/ext:42", headers=page(token)).json()["data"]["user_id"] == mine
    assert_problem(api.get("/api/v1/score/ext:42"), "not-found")  # of the provider `site`
    # A bad token costs no client the view, but it cannot tell whose 42 is meant.
    bad = page(shops(key="k" * 40))
    assert api.get("/api/v1/score/ext:shop:42", headers=bad).status_code == 200
    assert_problem(api.get("/api/v1/score/ext:42", headers=bad), "not-authenticated")


@pytest.mark.django_db(transaction=True)
def test_seen_for_the_first_time_by_eight_calls_at_once_a_player_is_made_once() -> None:
    asking = site_key("viewers", provider="shop")

    def call(number: int) -> Any:
        if number % 2:
            return Api().post("/api/v1/viewer-tokens", {"player": "42"}, headers=asking)
        return Api().get(ME, headers=page(shops()))

    assert {answer.status_code for answer in none_failed(at_once(8, call))} == {200}
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_erasure_beside_calls_breaks_none_of_them() -> None:
    Api().get(ME, headers=page(shops()))
    erased = players.get("shop", "42").pk

    def call(number: int) -> Any:
        if number == 0:
            privacy.erase_now(erased)
            return 0
        answers = [Api().get(ME, headers=page(shops())).status_code for _ in range(5)]
        return max(answers)

    assert set(none_failed(at_once(6, call))) <= {0, 200, 401}
    assert User.objects.filter(external_id="42").exclude(pk=erased).count() <= 1
    assert User.objects.get(pk=erased).external_id is None
