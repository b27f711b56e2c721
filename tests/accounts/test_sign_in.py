"""Sign-up, sign-in, rotation, verification and sign-out."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework_simplejwt.tokens import AccessToken

from accounts import identity_data, sign_in
from accounts.authentication import AccountJWTAuthentication
from accounts.models import Session, SignIn, User
from accounts.tasks import purge_sign_ins
from tests.support.client import MINT, Api, assert_problem
from tests.support.lives import everything_stored
from tests.support.people import PASSWORD, player

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_of_its_own", "unlimited", "quiet_log")]

REGISTER = "/api/v1/auth/register"
TOKEN = "/api/v1/auth/token"
REFRESH = f"{TOKEN}/refresh"
VERIFY = f"{TOKEN}/verify"
LOGOUT = "/api/v1/auth/logout"

NEWCOMER = {"username": "newcomer", "email": "newcomer@example.org", "password": PASSWORD}


def test_who_signs_up_can_sign_in_and_act(api: Api) -> None:
    answer = api.post(REGISTER, NEWCOMER)
    assert answer.status_code == 201
    user = User.objects.get()
    data = answer.json()["data"]
    assert data == {
        "user_id": str(user.pk),
        "username": "newcomer",
        "email": "newcomer@example.org",
        "role": "player",
    }
    pair = api.post(TOKEN, {"username": "newcomer", "password": PASSWORD}).json()["data"]
    me = api.get("/api/v1/score/me", headers={"Authorization": f"Bearer {pair['access']}"})
    assert me.json()["data"]["user_id"] == str(user.pk)
    assert (user.is_staff, user.is_superuser, user.is_hidden) == (False, False, False)


@pytest.mark.parametrize(
    "field", ["role", "is_staff", "is_superuser", "is_hidden", "id", "user_id", "avatar_url", "score"]
)
def test_nobody_signs_up_as_more_than_a_player(api: Api, field: str) -> None:
    document = assert_problem(api.post(REGISTER, {**NEWCOMER, field: "admin"}), "invalid-request")
    assert list(document["errors"]) == [field]
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "name",
    [
        *("playerOne", "Zoë", "李小龙", "שלום", "x", "x" * 50, "😀", "👨‍👩‍👧", "a b", "O'Brien", "<b>", "%s", "x²"),
        *(
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "क्\u200dष",
            "❤️",
            "🏳️‍🌈",
            "7️⃣",
            "👩🏽‍🚀 Kamala",
            "Иван Smith",
            "प्रिया",
            "e\u0334",
        ),
    ],
)
def test_a_name_may_be_of_any_script(api: Api, name: str) -> None:
    assert api.post(REGISTER, {**NEWCOMER, "username": name}).status_code == 201
    assert User.objects.get().username == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            " x",
            "x ",
            "a  b",
            "a\tb",
            "a\nb",
            "a\u00a0b",
            "a\u2003b",
            "x" * 51,
            "\u200d",
            "\u200b",
            "a\u200bb",
        ),
        *(
            "al\u200cice",
            "al\u200dice",
            "李\u200d小龙",
            "alice\ufe0f",
            "alice\u034f",
            "alice\u3164",
            "\u2800",
            "x\U000e0100",
        ),
        *(
            "\u0430lice",
            "pl\u0430yerOne",
            "\u03bfne",
            "\uff41lice",
            "\U0001d41alice",
            "\u24b6lice",
            "x" + "\u0334" * 5,
            "x\u17b4",
        ),
        *("\u202eevil", "a\u2066b", "\ufeffx", "x\u00ad", "\ue000", "\u0378", "\u2028", "x\u0000", "\u0001", "\u007f"),
    ],
)
def test_a_name_that_could_pass_for_another_is_refused(api: Api, name: str) -> None:
    document = assert_problem(api.post(REGISTER, {**NEWCOMER, "username": name}), "invalid-request")
    assert "username" in document.get("errors", {"username": 1})
    assert not User.objects.exists()


def test_everything_that_is_wrong_with_a_sign_up_is_told_at_once(api: Api) -> None:
    api.post(REGISTER, NEWCOMER)
    document = assert_problem(api.post(REGISTER, {**NEWCOMER, "password": "newcomer"}), "invalid-request")
    assert sorted(document["errors"]) == ["email", "password", "username"]
    document = assert_problem(
        api.post(REGISTER, {"username": "\u202e", "email": "x", "password": "x"}), "invalid-request"
    )
    assert sorted(document["errors"]) == ["email", "password", "username"]
    document = assert_problem(api.post(REGISTER, {"username": 7, "email": [], "password": {}}), "invalid-request")
    assert sorted(document["errors"]) == ["email", "password", "username"]


@pytest.mark.parametrize(
    "email",
    [
        *("", "x", "x@", "@x.org", "a b@x.org", "a@b", "a@x..org", "a@-x.org", "a@x.org\n", "a@x.org,b@x.org"),
        "x" * 250 + "@x.org",
    ],
)
def test_an_address_that_is_none_is_refused(api: Api, email: str) -> None:
    document = assert_problem(api.post(REGISTER, {**NEWCOMER, "email": email}), "invalid-request")
    assert list(document["errors"]) == ["email"]


@pytest.mark.parametrize(
    "password", ["", "short", "password123", "12345678901234", "newcomer", "newcomer@example", "x" * 129]
)
def test_a_password_that_is_easily_guessed_or_too_long_is_refused(api: Api, password: str) -> None:
    document = assert_problem(api.post(REGISTER, {**NEWCOMER, "password": password}), "invalid-request")
    assert list(document["errors"]) == ["password"]


@pytest.mark.parametrize("change", [{"username": "NEWcomer"}, {"email": "NewComer@Example.ORG"}])
def test_a_name_and_an_address_are_taken_in_any_capitals(api: Api, change: dict[str, str]) -> None:
    api.post(REGISTER, {**NEWCOMER, "username": "newcomer"})
    [field] = change
    other = {"username": "another", "email": "another@example.org", "password": PASSWORD, **change}
    document = assert_problem(api.post(REGISTER, other), "invalid-request")
    assert list(document["errors"]) == [field]
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "another pass phrase"},
        {"password": PASSWORD.upper()},
        {"password": PASSWORD + " "},
        {"username": "nobody"},
        {"username": "newcomer "},
        {"username": "newcomer@example.org"},
    ],
)
def test_a_wrong_name_and_a_wrong_password_are_told_alike(api: Api, wrong: dict[str, str]) -> None:
    api.post(REGISTER, NEWCOMER)
    refusal = api.post(TOKEN, {"username": "newcomer", "password": PASSWORD, **wrong})
    assert assert_problem(refusal, "not-authenticated")["detail"] == "No active account has these credentials."


def test_a_disabled_player_is_told_the_same(api: Api) -> None:
    api.post(REGISTER, NEWCOMER)
    User.objects.update(is_active=False)
    refusal = api.post(TOKEN, {"username": "newcomer", "password": PASSWORD})
    assert assert_problem(refusal, "not-authenticated")["detail"] == "No active account has these credentials."


def test_signing_in_ignores_capitals_of_the_name(api: Api) -> None:
    api.post(REGISTER, NEWCOMER)
    assert api.post(TOKEN, {"username": "NewComer", "password": PASSWORD}).status_code == 200


def test_an_expired_access_token_does_not_stop_a_sign_in(api: Api) -> None:
    api.post(REGISTER, NEWCOMER)
    body = {"username": "newcomer", "password": PASSWORD}
    assert api.post(TOKEN, body, headers={"Authorization": "Bearer expired"}).status_code == 200


def test_a_refresh_token_is_spent_by_its_rotation(api: Api, alice: User) -> None:
    first = sign_in.start(alice)["refresh"]
    pair = api.post(REFRESH, {"refresh": first}).json()["data"]
    assert AccessToken(pair["access"])["sub"] == str(alice.pk)
    assert_problem(api.post(VERIFY, {"token": first}), "not-authenticated")
    assert api.post(VERIFY, {"token": pair["refresh"]}).status_code == 200
    assert api.post(REFRESH, {"refresh": pair["refresh"]}).status_code == 200


@pytest.mark.parametrize("first", ["owner", "thief"])
def test_a_spent_refresh_token_presented_again_ends_the_whole_sign_in(api: Api, alice: User, first: str) -> None:
    """Nothing tells who of the two is the thief, so neither goes on: not the second client, nor both tokens later."""
    stolen, elsewhere = sign_in.start(alice)["refresh"], sign_in.start(alice)
    pair = api.post(REFRESH, {"refresh": stolen}).json()["data"]
    if first == "thief":  # who has used it for days
        pair = api.post(REFRESH, {"refresh": pair["refresh"]}).json()["data"]
    headers = {"Authorization": f"Bearer {pair['access']}"}
    assert api.get("/api/v1/score/me", headers=headers).status_code == 200
    document = assert_problem(api.post(REFRESH, {"refresh": stolen}), "not-authenticated")
    assert "this sign-in has ended" in document["detail"]
    assert_problem(api.post(REFRESH, {"refresh": pair["refresh"]}), "not-authenticated")
    assert_problem(api.post(VERIFY, {"token": pair["access"]}), "not-authenticated")
    assert_problem(api.get("/api/v1/score/me", headers=headers), "not-authenticated")
    assert_problem(api.post(MINT, {"action_type": "WIN_MATCH"}, headers=headers), "not-authenticated")
    assert api.post(REFRESH, {"refresh": elsewhere["refresh"]}).status_code == 200, "other sign-ins go on"


def test_a_token_is_stored_nowhere(alice: User) -> None:
    pair = sign_in.rotate(sign_in.start(alice)["refresh"])
    stored = everything_stored()
    for token in pair.values():
        assert not any(part in stored for part in (token, *token.split(".")[1:]))


def test_looking_at_a_token_costs_one_query(alice: User, django_assert_num_queries: Any) -> None:
    headers = {"Authorization": f"Bearer {sign_in.start(alice)['access']}"}
    request = APIRequestFactory().get("/", headers=headers)
    with django_assert_num_queries(1):
        assert AccountJWTAuthentication().authenticate(Request(request)) is not None


def test_a_disabled_or_erased_player_s_session_is_not_renewed(api: Api, alice: User) -> None:
    gone = player()
    tokens = [sign_in.start(user)["refresh"] for user in (alice, gone)]
    User.objects.filter(pk=alice.pk).update(is_active=False)
    identity_data.anonymise(gone.pk)
    for token in tokens:
        assert_problem(api.post(REFRESH, {"refresh": token}), "not-authenticated")


def test_signing_out_ends_the_refresh_token_and_is_no_error_twice(api: Api, alice: User) -> None:
    refresh = sign_in.start(alice)["refresh"]
    for _ in range(2):
        answer = api.post(LOGOUT, {"refresh": refresh})
        assert (answer.status_code, answer.json()) == (200, {"success": True, "data": {}})
    assert SignIn.objects.get().ended_at is not None
    assert_problem(api.post(REFRESH, {"refresh": refresh}), "not-authenticated")


def test_signing_out_ends_the_access_token_too_and_takes_a_spent_refresh_token(api: Api, alice: User) -> None:
    spent = sign_in.start(alice)["refresh"]
    pair = sign_in.rotate(spent)
    assert api.post(LOGOUT, {"refresh": spent}).status_code == 200
    for token in pair.values():
        assert_problem(api.post(VERIFY, {"token": token}), "not-authenticated")


def test_verify_tells_a_good_token_of_either_kind(api: Api, alice: User) -> None:
    for token in sign_in.start(alice).values():
        assert api.post(VERIFY, {"token": token}).status_code == 200


@pytest.mark.usefixtures("board")
def test_no_answer_shows_a_hash_or_somebody_s_address(api: Api) -> None:
    api.post(REGISTER, NEWCOMER)
    user = User.objects.get()
    for path in ("/api/v1/score/me", f"/api/v1/score/{user.pk}", "/api/v1/scoreboard/top"):
        said = api.get(path, user).content.decode()
        assert "example.org" not in said
        assert "scrypt" not in said


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_read_in_any_capitals(api: Api, alice: User, scheme: str) -> None:
    """RFC 9110, section 11.1."""
    token = sign_in.start(alice)["access"]
    assert api.get("/api/v1/score/me", headers={"Authorization": f"{scheme} {token}"}).status_code == 200
    assert api.get("/api/v1/score/me", headers={"Authorization": f"{scheme}{token}"}).status_code == 401


def test_rotations_are_calls_of_their_user(api: Api, alice: User, settings: Settings) -> None:
    """Each leaves a row for as long as the token would have lived."""
    settings.LIMITS = {**settings.LIMITS, "user": "2/minute"}
    refresh = sign_in.start(alice)["refresh"]
    for _ in range(2):
        answer = api.post(REFRESH, {"refresh": refresh})
        assert answer.status_code == 200
        refresh = answer.json()["data"]["refresh"]
    assert_problem(api.post(REFRESH, {"refresh": refresh}), "rate-limited")
    settings.LIMITS = {**settings.LIMITS, "user": "off"}
    assert api.post(REFRESH, {"refresh": refresh}).status_code == 200


def test_what_has_ended_or_expired_is_forgotten(api: Api, alice: User) -> None:
    good = sign_in.start(alice)["refresh"]
    past = timezone.now() - sign_in.KEPT - timedelta(seconds=1)
    for column in ("expires_at", "ended_at"):
        sign_in.start(alice)
        SignIn.objects.filter(pk=SignIn.objects.latest("created_at").pk).update(**{column: past})
    for key, expires in (("a" * 32, past), ("b" * 32, timezone.now() + timedelta(days=1))):
        Session.objects.create(session_key=key, session_data="", expire_date=expires)
    assert purge_sign_ins(chunk=1) == 3
    assert Session.objects.get().session_key == "b" * 32
    assert SignIn.objects.count() == 1
    assert api.post(REFRESH, {"refresh": good}).status_code == 200
