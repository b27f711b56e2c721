"""Credentials that are none: 401 for each, nothing written, and no word about why that helps a cheat."""

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings as site
from django.utils import timezone

from accounts import identity_data, sign_in
from accounts.models import SignIn, User
from scoreboard.models import ScoreHistory
from tests.support.client import MINT, UPDATE, Api, assert_problem
from tests.support.forging import b64
from tests.support.people import player

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_of_its_own", "unlimited", "quiet_log")]

Forge = Callable[[User, str], str]  # the player, the type of token the call wants → a token


def claims_of(user: User, kind: str, **changes: Any) -> dict[str, Any]:
    """What this site signs for a player who has signed in; a change to ... leaves the claim out."""
    now, jti, sid = int(time.time()), uuid.uuid4().hex, uuid.uuid4()
    at = timezone.now()
    if User.objects.filter(pk=user.pk).exists():
        SignIn.objects.create(
            pk=sid, user=user, jti=jti, created_at=at, last_used_at=at, expires_at=at + timedelta(days=1)
        )
    honest = {
        "token_type": kind,
        "exp": now + 300,
        "iat": now,
        "jti": jti,
        "sub": str(user.pk),
        "aud": site.SIMPLE_JWT["AUDIENCE"],
        "sid": str(sid),
    }
    return {name: value for name, value in {**honest, **changes}.items() if value is not ...}


def signed(**changes: Any) -> Forge:
    """Changed claims under this site's own key: not even these may break anything."""
    return lambda user, kind: jwt.encode(claims_of(user, kind, **changes), site.SIMPLE_JWT["SIGNING_KEY"], "HS256")


def unsigned(header: str) -> Forge:
    def forge(user: User, kind: str) -> str:
        payload = jwt.encode(claims_of(user, kind), "k" * 32, "HS256").split(".")[1]
        return f"{b64(header.encode())}.{payload}."

    return forge


def raw(text: str) -> Forge:
    return lambda user, kind: text


def spelled(spell: Callable[[str], str]) -> Forge:
    return lambda user, kind: spell(signed()(user, kind))


def other(user: User, kind: str) -> str:
    """The other kind of token: good for something else."""
    return sign_in.start(user)["access" if kind == "refresh" else "refresh"]


NO_IDS: list[Any] = [None, "", "x", "\0", 7, True, [], {}, "x" * 2000]

BAD: dict[str, Forge] = {
    "garbage": raw("garbage"),
    "dots": raw(".."),
    "empty parts": raw("e30.e30."),
    "not base64": raw("!.!.!"),
    "not UTF-8 inside": raw(".".join([b64(b"\xff"), b64(b"\xff"), "x"])),
    "not an object": raw(f"{b64(b'[]')}.{b64(b'[]')}.x"),
    "deep": raw(f"{b64(b'[' * 1000)}.e30.x"),
    "long": raw("x" * 4000),
    "alg none": unsigned('{"alg":"none"}'),
    "alg nOnE": unsigned('{"alg":"nOnE"}'),
    "alg missing": unsigned("{}"),
    "another key": lambda user, kind: jwt.encode(claims_of(user, kind), "k" * 32, "HS256"),
    "another algorithm": lambda user, kind: jwt.encode(claims_of(user, kind), site.SIMPLE_JWT["SIGNING_KEY"], "HS384"),
    "first bit of the signature": spelled(lambda t: t[: t.rindex(".") + 1] + "A" + t[t.rindex(".") + 2 :] + "A"),
    "no signature": spelled(lambda t: t[: t.rindex(".") + 1]),
    "expired": signed(exp=int(time.time()) - site.JWT_LEEWAY - 1),
    "expired long ago": signed(exp=0),
    "before time": signed(nbf=int(time.time()) + 10 * 3600),
    "the other kind": other,
    "no kind": signed(token_type=...),
    "kind of another world": signed(token_type="sliding"),
    "kind null": signed(token_type=None),
    "kind a list": signed(token_type=["access"]),
    "nobody": signed(sub=str(uuid.UUID(int=7))),
    "no subject": signed(sub=...),
    "another audience": signed(aud="scoreboard:action"),
    "no audience": signed(aud=...),
    "audience null": signed(aud=None),
    "no end": signed(exp=...),
    "end null": signed(exp=None),
    "end text": signed(exp="tomorrow"),
    "end negative": signed(exp=-1),
    "end a list": signed(exp=[1]),
    "end NaN": signed(exp=float("nan")),
    "end 1e20": signed(exp=1e20),
    "end 2^63": signed(exp=2**63),
    "end 10^400": signed(exp=10**400),
    "issued tomorrow": signed(iat=int(time.time()) + 86400),
    "issued text": signed(iat="now"),
    "no id": signed(jti=...),
    "id a list": signed(jti=["x"]),
    "no sign-in": signed(sid=...),
    **{f"sign-in {sid!r:.20}": signed(sid=sid) for sid in NO_IDS},
    "a sign-in that never was": signed(sid=str(uuid.UUID(int=7))),
    **{
        f"subject {subject!r:.20}": signed(sub=subject)
        for subject in ("", "alice", "1", "\0", "x" * 500, "' OR 1=1--", "../..", "{}", "é")
    },
}

CALLS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "me": ("GET", "/api/v1/score/me", None),
    "history": ("GET", "/api/v1/score/{0}/history", None),
    "mint": ("POST", MINT, {"action_type": "COMPLETE_TASK"}),
    "update": (
        "POST",
        UPDATE,
        {"action_id": str(uuid.UUID(int=1)), "action_type": "WIN_MATCH", "action_token": "a.b.c", "timestamp": 0},
    ),
    "batch": ("POST", "/api/v1/score/batch", {"actions": [{}]}),
    "bonus": ("POST", "/api/v1/score/bonus", {"user_id": str(uuid.UUID(int=1)), "points": 1, "reason": "x"}),
}


def call(api: Api, name: str, user: User, credentials: str) -> Any:
    method, path, body = CALLS[name]
    headers = {"Authorization": credentials.encode().decode("latin-1")}
    path = path.format(user.pk)
    return api.get(path, headers=headers) if method == "GET" else api.post(path, body, headers=headers)


def assert_unauthenticated(answer: Any) -> None:
    assert_problem(answer, "not-authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("name", CALLS)
def test_a_bad_token_signs_nobody_in(api: Api, alice: User, name: str) -> None:
    wrong: dict[str, str] = {}
    for fault, forge in BAD.items():
        try:
            # Update and batch are judged by the statement that would pay: it knows users, and no sign-ins.
            if not (fault in ("nobody", "a sign-in that never was") and name in ("update", "batch")):
                assert_unauthenticated(call(api, name, alice, f"Bearer {forge(alice, 'access')}"))
        except AssertionError as error:
            wrong[fault] = str(error)
    assert wrong == {}
    assert not ScoreHistory.objects.exists()


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "credentials",
    [
        *(
            "",
            " ",
            "Bearer",
            "Bearer ",
            "Bearer  ",
            "Bearer a b",
            "Bearer, x",
            "Basic YWxpY2U6eA==",
            "Basic",
            "Digest x",
        ),
        *("Token x", "BEARER x", "Bearer\tx", "Bearer \u00e9", "Bearer \x00", "bearer null", "x" * 8000),
    ],
)
def test_a_header_that_is_none_signs_nobody_in(api: Api, alice: User, name: str, credentials: str) -> None:
    assert_unauthenticated(call(api, name, alice, credentials))


@pytest.mark.parametrize("name", ["me", "history", "mint"])
def test_the_control_an_honest_token_signs_in(api: Api, alice: User, name: str) -> None:
    for scheme in ("Bearer", "bearer"):
        assert call(api, name, alice, f"{scheme} {signed()(alice, 'access')}").status_code in (200, 201)


@pytest.mark.parametrize("name", ["me", "history", "mint", "bonus"])
def test_a_disabled_or_erased_player_is_signed_in_no_more(api: Api, name: str) -> None:
    disabled, erased = player(is_active=False), player()
    tokens = {user.pk: signed()(user, "access") for user in (disabled, erased)}
    identity_data.anonymise(erased.pk)
    for user in (disabled, erased):
        assert_unauthenticated(call(api, name, user, f"Bearer {tokens[user.pk]}"))


BODIES = {
    "/api/v1/auth/token/refresh": "refresh",
    "/api/v1/auth/logout": "refresh",
    "/api/v1/auth/token/verify": "token",
}


@pytest.mark.parametrize("path", BODIES)
def test_a_bad_refresh_token_is_neither_rotated_nor_verified_nor_spent(api: Api, alice: User, path: str) -> None:
    wrong: dict[str, str] = {}
    for fault, forge in BAD.items():
        if fault == "nobody" or fault.startswith("subject") or (path.endswith("verify") and fault == "the other kind"):
            continue  # whom a token names is another question, see below; and verify is for both kinds
        if fault == "a sign-in that never was" and path.endswith("logout"):
            continue  # it may have been forgotten since: there is nothing left to end
        answer = api.post(path, {BODIES[path]: forge(alice, "refresh")})
        try:
            assert_problem(answer, "not-authenticated")
        except AssertionError as error:
            wrong[fault] = str(error)
    assert wrong == {}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("fault", [name for name in BAD if name.startswith("subject") or name == "nobody"])
def test_a_refresh_token_of_no_player_breaks_nothing(api: Api, alice: User, path: str, fault: str) -> None:
    assert api.post(path, {BODIES[path]: BAD[fault](alice, "refresh")}).status_code in (200, 401)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("space", [" {}", "{} ", "{}\n", "\t{}", "{}\u200b", "Bearer {}"])
def test_a_token_with_anything_around_it_is_none(api: Api, alice: User, path: str, space: str) -> None:
    good = sign_in.start(alice)["refresh"]
    assert_problem(api.post(path, {BODIES[path]: space.format(good)}), "not-authenticated")
    assert api.post(path, {BODIES[path]: good}).status_code == 200
