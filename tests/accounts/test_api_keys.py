"""API keys of trusted back ends: what is kept of them, what they may do, and how they end."""

import hashlib
import hmac
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts import api_keys, privacy
from accounts.models import ApiKey, User
from actions.models import ActionToken, ActionType
from tests.support.client import MINT, TOP, UPDATE, Api, assert_problem
from tests.support.people import player

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_limits")]

Issued = tuple[ApiKey, str]


@pytest.fixture
def issued(db: None) -> Issued:
    return api_keys.issue("game server", ["mint"])


def mint(api: Api, text: str, user: User | uuid.UUID, **body: Any) -> Any:
    user_id = str(user.pk if isinstance(user, User) else user)
    return api.post(MINT, {"user_id": user_id, "action_type": "WIN_MATCH", **body}, headers={"X-API-Key": text})


def used_at(key: ApiKey) -> Any:
    return ApiKey.objects.get(pk=key.pk).last_used_at


def test_only_a_hash_is_kept(issued: Issued) -> None:
    key, text = issued
    found = re.fullmatch(r"sb_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", text)
    assert found
    assert key.prefix == found[1]
    assert ApiKey.objects.get().digest == hashlib.sha256(found[2].encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_keys::text FROM api_keys")
        assert found[2] not in cursor.fetchone()[0]
    assert found[2] not in f"{key} {key!r}"
    assert found[1] in str(key)


def test_a_back_end_mints_for_a_player(api: Api, issued: Issued, alice: User) -> None:
    key, text = issued
    answer = mint(api, text, alice)
    assert answer.status_code == 201
    token = ActionToken.objects.get(pk=answer.json()["data"]["action_id"])
    assert (token.user, token.points, token.issued_by) == (alice, 50, key.pk)


@pytest.mark.parametrize(("points", "status"), [(20, 201), (75, 201), (100, 201), (19, 400), (101, 400), (2**40, 400)])
def test_points_lie_inside_the_types_bounds(api: Api, issued: Issued, alice: User, points: int, status: int) -> None:
    ActionType.objects.filter(slug="WIN_MATCH").update(min_points=20, max_points=100)
    answer = mint(api, issued[1], alice, points=points)
    assert answer.status_code == status
    if status == 201:
        assert ActionToken.objects.get().points == answer.json()["data"]["points"] == points
    else:
        assert list(assert_problem(answer, "invalid-request")["errors"]) == ["points"]
        assert not ActionToken.objects.exists()


@pytest.mark.parametrize("points", [49, 51, 0, -1, 50.0, "50", None, True])
def test_without_bounds_it_is_the_catalogues_points_or_none(api: Api, issued: Issued, alice: User, points: Any) -> None:
    assert mint(api, issued[1], alice, points=50).status_code == 201
    assert list(assert_problem(mint(api, issued[1], alice, points=points), "invalid-request")["errors"]) == ["points"]


def test_for_whom_and_for_what_must_exist(api: Api, issued: Issued, alice: User) -> None:
    assert_problem(mint(api, issued[1], uuid.uuid4()), "not-found")
    assert_problem(mint(api, issued[1], player(is_active=False)), "player-disabled")
    erased = player()
    privacy.erase(erased.pk)
    assert_problem(mint(api, issued[1], erased), "not-found")
    assert_problem(mint(api, issued[1], alice, action_type="NO_SUCH"), "not-found")
    ActionType.objects.filter(slug="DAILY_LOGIN").update(enabled=False)
    assert_problem(mint(api, issued[1], alice, action_type="DAILY_LOGIN"), "not-found")
    assert not ActionToken.objects.exists()


def test_a_player_without_a_key_cannot_name_points_or_another(api: Api, alice: User, bob: User) -> None:
    for more in ({"points": 50}, {"user_id": str(bob.pk)}, {"user_id": str(alice.pk)}):
        answer = api.post(MINT, {"action_type": "COMPLETE_TASK", **more}, alice)
        assert list(assert_problem(answer, "invalid-request")["errors"]) == list(more)


def test_a_key_does_nothing_but_mint(api: Api, issued: Issued, alice: User) -> None:
    header = {"X-API-Key": issued[1]}
    for path in ("/api/v1/score/me", f"/api/v1/score/requests/{uuid.uuid4()}"):
        assert_problem(api.get(path, headers=header), "not-authenticated")
    assert_problem(api.get(f"/api/v1/score/{alice.pk}/history", headers=header), "forbidden")
    body = {"action_id": str(uuid.uuid4()), "action_type": "WIN_MATCH", "action_token": "a.b.c", "timestamp": 0}
    for path, sent in ((UPDATE, body), ("/api/v1/score/batch", {"actions": [body]})):
        assert_problem(api.post(path, sent, headers=header), "not-authenticated")
    assert_problem(api.post("/api/v1/score/bonus", {}, headers=header), "forbidden")


def test_a_key_without_the_scope_may_not_mint(api: Api, issued: Issued, alice: User) -> None:
    ApiKey.objects.update(scopes=[])
    assert_problem(mint(api, issued[1], alice), "forbidden")


def test_scopes_and_limits_that_make_no_sense_are_refused() -> None:
    for scopes, limit in ((["everything"], "10/minute"), (["mint"], "lots"), (["mint"], "0/minute"), (["mint"], "")):
        with pytest.raises(ValidationError):
            api_keys.issue("game server", scopes, limit=limit)
    assert not ApiKey.objects.exists()


def test_revoked_is_refused_at_once(api: Api, issued: Issued, alice: User) -> None:
    assert mint(api, issued[1], alice).status_code == 201
    api_keys.revoke(issued[0])
    assert_problem(mint(api, issued[1], alice), "forbidden")
    revoked = ApiKey.objects.get().revoked_at
    api_keys.revoke(issued[0])
    assert ApiKey.objects.get().revoked_at == revoked


def test_rotation_overlaps_and_then_ends(api: Api, issued: Issued, alice: User) -> None:
    old, text = issued
    new, new_text = api_keys.rotate(old)
    assert (new.name, new.scopes, new.limit) == (old.name, old.scopes, old.limit)
    assert [mint(api, each, alice).status_code for each in (text, new_text)] == [201, 201]
    ends = ApiKey.objects.get(pk=old.pk).expires_at
    assert ends
    assert timedelta(hours=23) < ends - timezone.now() <= timedelta(hours=24)
    assert ApiKey.objects.get(pk=new.pk).expires_at is None
    ApiKey.objects.filter(pk=old.pk).update(expires_at=timezone.now())
    assert_problem(mint(api, text, alice), "forbidden")
    assert mint(api, new_text, alice).status_code == 201


def test_an_end_that_was_set_is_not_undone_by_rotating(issued: Issued) -> None:
    week = timezone.now() + timedelta(days=7)
    ApiKey.objects.update(expires_at=week)
    successor, _ = api_keys.rotate(issued[0])
    assert ApiKey.objects.get(pk=successor.pk).expires_at == week
    hour = timezone.now() + timedelta(hours=1)
    ApiKey.objects.filter(pk=issued[0].pk).update(expires_at=hour)
    api_keys.rotate(issued[0])
    assert ApiKey.objects.get(pk=issued[0].pk).expires_at == hour


@pytest.mark.parametrize("end", ["revoked_at", "expires_at"])
def test_a_key_that_ended_is_not_rotated_back_to_life(issued: Issued, end: str) -> None:
    ApiKey.objects.update(**{end: timezone.now()})
    with pytest.raises(ValueError, match="revoked or expired"):
        api_keys.rotate(issued[0])
    assert ApiKey.objects.count() == 1


def test_last_used_is_noted_about_once_a_minute(api: Api, issued: Issued, alice: User) -> None:
    key, text = issued
    assert used_at(key) is None
    before = timezone.now()
    mint(api, text, alice)
    first = used_at(key)
    assert before <= first <= timezone.now()
    mint(api, text, alice)
    assert used_at(key) == first
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    mint(api, text, alice)
    assert used_at(key) > first


def test_a_guess_leaves_no_trace_on_the_key(api: Api, issued: Issued, alice: User) -> None:
    key, text = issued
    assert_problem(mint(api, text[:-1] + ("A" if text[-1] != "A" else "B"), alice), "forbidden")
    assert used_at(key) is None


@pytest.mark.parametrize(
    "text", ["", " ", "sb_", "sb__", "x" * 10_000, "sb_0123456789ab_" + "x" * 42, "sb_0123456789AB_" + "x" * 43, "é"]
)
def test_what_is_no_key_is_refused_without_a_query(
    api: Api, settings: Settings, django_assert_num_queries: Any, text: str
) -> None:
    with django_assert_num_queries(0):
        assert_problem(api.post(MINT, {}, headers={"X-API-Key": text}), "forbidden")


def test_guesses_are_charged_to_their_address_and_good_keys_to_their_own_limit(
    api: Api, issued: Issued, alice: User, settings: Settings
) -> None:
    settings.LIMITS = {**settings.LIMITS, "ip": "4/hour", "sign-in": "2/hour", "user": "1/hour"}
    assert [mint(api, issued[1], alice).status_code for _ in range(6)] == [201] * 6, "no allowance of others is touched"
    guess = "sb_0123456789ab_" + "x" * 43
    refused = [mint(api, guess, alice) for _ in range(3)]
    assert [answer.status_code for answer in refused] == [403, 403, 429]
    assert refused[-1]["RateLimit-Policy"] == '"sign-in";q=2;w=3600'
    assert mint(api, issued[1], alice).status_code == 201
    assert api.get(TOP, headers={"X-API-Key": issued[1]}).status_code == 200
    assert api.get(TOP, headers={"X-API-Key": issued[1]}).status_code == 429, "only minting is charged to the key"


def test_a_keys_own_limit_names_itself(api: Api, alice: User) -> None:
    _, text = api_keys.issue("small", ["mint"], limit="1/hour")
    assert mint(api, text, alice).status_code == 201
    assert mint(api, text, alice)["RateLimit-Policy"] == '"api-key";q=1;w=3600'
    _, other = api_keys.issue("other", ["mint"], limit="off")
    assert [mint(api, other, alice).status_code for _ in range(3)] == [201] * 3


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
def test_a_key_is_presented_by_either_header(api: Api, issued: Issued, alice: User, header: str) -> None:
    text = issued[1] if header == "X-API-Key" else f"bearer {issued[1]}"
    body = {"user_id": str(alice.pk), "action_type": "WIN_MATCH"}
    assert api.post(MINT, body, headers={header: text}).status_code == 201
    assert_problem(api.post(MINT, body, headers={header: text + "x"}), "forbidden")


def test_the_command_prints_a_key_alone_on_its_last_line(api: Api, alice: User, capsys: Any) -> None:
    call_command("create_api_key", "game server", "--scopes", "mint", "--types", "WIN_MATCH", "--provider", "shop")
    text = capsys.readouterr().out.splitlines()[-1]
    assert mint(api, text, alice).status_code == 201
    assert_problem(mint(api, text, alice, action_type="COMPLETE_TASK"), "forbidden")
    assert (ApiKey.objects.get().provider, ApiKey.objects.get().limit) == ("shop", "6000/minute")
    with pytest.raises(CommandError, match="rule"):
        call_command("create_api_key", "game server", "--scopes", "mint,rule")


def test_secrets_are_compared_in_constant_time(issued: Issued, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    original = hmac.compare_digest

    def spy(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return original(one, other)

    monkeypatch.setattr("accounts.api_keys.hmac.compare_digest", spy)
    key, text = issued
    wrong = [f"sb_{key.prefix}_{'x' * 43}", f"{text[:-1]}{'A' if text[-1] != 'A' else 'B'}"]
    assert [api_keys.find(each) for each in (*wrong, text)] == [None, None, key]
    assert compared == [(64, 64)] * 3


def test_the_wrong_kind_of_credentials_is_named(api: Api, issued: Issued, alice: User) -> None:
    _, text = issued
    answer = api.get("/api/v1/score/me", headers={"Authorization": f"Bearer {text}"})
    assert assert_problem(answer, "not-authenticated")["detail"] == "This call takes a player's token, not an API key."
    answer = api.post("/api/v1/awards", {"id": "1", "player": "42"}, alice)
    said = assert_problem(answer, "not-authenticated")["detail"]
    assert said == "This call takes an API key: `Authorization: Bearer sb_…`."
