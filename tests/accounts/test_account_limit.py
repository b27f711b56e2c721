"""Guesses at one account from many addresses meet one limit, and its owner gets in all the same."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import get_hasher
from django.test import Client
from pytest_django.fixtures import Settings

from accounts import attempts
from accounts.models import User
from api import redis_client
from tests.support.client import Api
from tests.support.people import PASSWORD, player

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_limits")]

SIGN_IN = "/api/v1/auth/token"
ALLOWED = 3
HOME, CAFE = "198.51.100.1", "198.51.100.2"


@pytest.fixture(autouse=True)
def one_proxy_and_this_limit(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    settings.LIMITS = {**dict.fromkeys(settings.LIMITS, "off"), "sign-in-account": f"{ALLOWED}/hour"}


@pytest.fixture
def owner() -> User:
    return User.objects.create_superuser("Zoë", "zoe@example.org", PASSWORD)


def api_door(username: str, password: str, address: str) -> Any:
    body = {"username": username, "password": password}
    return Api().post(SIGN_IN, body, headers={"X-Forwarded-For": address})


def page_door(username: str, password: str, address: str, path: str = "/accounts/sign-in") -> Any:
    body = {"username": username, "password": password}
    return Client().post(path, body, headers={"X-Forwarded-For": address})


def admin_door(username: str, password: str, address: str) -> Any:
    return page_door(username, password, address, "/admin/login/")


Door = Callable[[str, str, str], Any]
DOORS: dict[str, tuple[Door, int, int]] = {  # how, and what it answers to a wrong and to the right password
    "api": (api_door, 401, 200),
    "page": (page_door, 200, 302),
    "admin": (admin_door, 200, 302),
}


def bots(count: int) -> list[str]:
    return [f"203.0.113.{number}" for number in range(count)]


def attack(username: str = "Zoë") -> None:
    """Uses up what everybody elsewhere has together."""
    for address in bots(ALLOWED):
        assert api_door(username, "a guess", address).status_code == 401
    assert api_door(username, "a guess", "203.0.113.250").status_code == 429


@pytest.mark.parametrize("door", DOORS)
def test_a_botnet_gets_as_many_guesses_as_one_address(owner: User, door: str) -> None:
    enter, wrong, _ = DOORS[door]
    answers = [enter("Zoë", "a guess", address) for address in bots(ALLOWED + 2)]
    assert [answer.status_code for answer in answers] == [wrong] * ALLOWED + [429, 429]
    assert answers[-1]["RateLimit-Policy"] == f'"sign-in-account";q={ALLOWED};w=3600'
    assert 1 <= int(answers[-1]["Retry-After"]) <= 3600
    assert enter("Zoë", PASSWORD, CAFE).status_code == 429, "even the right password waits"


def test_all_doors_count_together(owner: User) -> None:
    for (enter, wrong, _), address in zip(DOORS.values(), bots(ALLOWED), strict=True):
        assert enter("Zoë", "a guess", address).status_code == wrong
    for enter, _, _ in DOORS.values():
        assert enter("Zoë", PASSWORD, CAFE).status_code == 429


@pytest.mark.parametrize("door", DOORS)
def test_the_owner_gets_in_from_where_they_were_before(owner: User, door: str) -> None:
    enter, wrong, right = DOORS[door]
    assert enter("Zoë", PASSWORD, HOME).status_code == right
    for address in bots(ALLOWED - 1):  # signing in from a new address was one of the attempts
        assert enter("Zoë", "a guess", address).status_code == wrong
    assert enter("Zoë", "a guess", CAFE).status_code == 429
    assert enter("zoë", PASSWORD, HOME).status_code == right
    assert enter("Zoë", PASSWORD, CAFE).status_code == 429, "the control: from anywhere else they wait"


def test_a_known_address_has_as_many_guesses_and_no_more(owner: User) -> None:
    assert api_door("Zoë", PASSWORD, HOME).status_code == 200
    assert [api_door("Zoë", "a guess", HOME).status_code for _ in range(ALLOWED + 1)] == [401] * ALLOWED + [429]


def test_only_who_knew_the_password_is_known(owner: User) -> None:
    assert api_door("Zoë", "a guess", HOME).status_code == 401
    assert attempts.known(owner.pk) == {}


def test_a_few_addresses_are_known_and_none_in_clear(owner: User, settings: Settings) -> None:
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "off")
    for number in range(attempts.KEPT_ADDRESSES + 3):
        assert api_door("Zoë", PASSWORD, f"198.51.100.{number}").status_code == 200
    assert len(attempts.known(owner.pk)) == attempts.KEPT_ADDRESSES
    assert not attempts.is_known(str(owner.pk), "198.51.100.0"), "the oldest gave way"
    assert all("198.51" not in digest for digest in attempts.known(owner.pk))


def test_an_address_known_long_ago_is_known_no_more(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api_door("Zoë", PASSWORD, HOME).status_code == 200
    assert attempts.is_known(str(owner.pk), HOME)
    later = time.time() + attempts.KEPT_SECONDS + 60
    monkeypatch.setattr(time, "time", lambda: later)
    assert not attempts.is_known(str(owner.pk), HOME)


@pytest.mark.parametrize("door", DOORS)
def test_no_spelling_of_the_name_has_its_own_allowance(owner: User, door: str) -> None:
    enter, wrong, _ = DOORS[door]
    names = ["zoë", "ZOË", "zOë", "Zoë"]
    answers = [enter(name, "a guess", address) for name, address in zip(names, bots(4), strict=True)]
    assert [answer.status_code for answer in answers] == [wrong] * ALLOWED + [429]


@pytest.mark.parametrize("door", DOORS)
def test_a_name_that_is_nobodys_is_answered_alike(owner: User, door: str) -> None:
    enter, wrong, _ = DOORS[door]
    names = ["nobody", "NOBODY", "Nobody", "nobody"]
    answers = [enter(name, "a guess", address) for name, address in zip(names, bots(4), strict=True)]
    assert [answer.status_code for answer in answers] == [wrong] * ALLOWED + [429]
    real = [enter("Zoë", "a guess", address) for address in bots(4)]
    assert [answer.status_code for answer in real] == [answer.status_code for answer in answers]
    assert real[-1]["RateLimit-Policy"] == answers[-1]["RateLimit-Policy"]


def test_other_accounts_are_not_concerned(owner: User) -> None:
    User.objects.create_user("bob", "bob@example.org", PASSWORD)
    attack()
    assert api_door("bob", PASSWORD, HOME).status_code == 200


def test_sessions_and_refresh_tokens_go_on(owner: User) -> None:
    """The attacker has not kept out who is signed in already."""
    client = Client()
    client.force_login(owner)
    pair = api_door("Zoë", PASSWORD, HOME).json()["data"]
    [api_door("Zoë", "a guess", address) for address in bots(ALLOWED)]
    assert api_door("Zoë", "a guess", CAFE).status_code == 429
    assert client.get("/play").status_code == 200
    assert Api().post(f"{SIGN_IN}/refresh", {"refresh": pair["refresh"]}).status_code == 200


def test_while_redis_is_away_the_account_is_counted_still(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api_door("Zoë", PASSWORD, HOME).status_code == 200
    monkeypatch.setattr(redis_client.breaker, "open_until", float("inf"))
    statuses = [api_door("Zoë", "a guess", address).status_code for address in (HOME, *bots(ALLOWED))]
    assert statuses == [401] * ALLOWED + [429], "nobody is known, and nobody is let through"


# --- the same work -----------------------------------------------------------------------------------


PEOPLE = {"wrong password": "Zoë", "nobody": "nobody", "disabled": "gone", "without a password": "bot"}


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("door", DOORS)
def test_one_hash_is_made_whoever_is_named(owner: User, monkeypatch: pytest.MonkeyPatch, door: str, who: str) -> None:
    User.objects.create_user("gone", "gone@example.org", PASSWORD, is_active=False)
    player("bot")
    made: list[str] = []
    hasher = type(get_hasher())
    encode = hasher.encode

    def counted(self: Any, text: str, *args: Any, **kwargs: Any) -> str:
        made.append(text)
        return str(encode(self, text, *args, **kwargs))

    monkeypatch.setattr(hasher, "encode", counted)
    enter, wrong, _ = DOORS[door]
    assert enter(PEOPLE[who], "a guess", HOME).status_code == wrong
    assert len(made) == 1


# Name, and a spelling of it. Which of these a sign-in finds, and which are nobody's, must not be told by the allowance.
SPELLINGS = [
    *(("kim", spelling) for spelling in ("KIM", "k\N{LATIN SMALL LETTER DOTLESS I}m", "\uff4bim", "k1m")),
    *(("Stra\u00dfe", spelling) for spelling in ("STRASSE", "strasse", "STRA\u1e9eE", "stra\u03b2e")),
    ("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3"),
    ("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c3"),
]


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(("name", "spelling"), SPELLINGS, ids=ascii)
def test_spellings_that_fold_differently_do_not_tell_whether_there_is_an_account(
    name: str, spelling: str, exists: bool
) -> None:
    if exists:
        User.objects.create_user(name, "folded@example.org", PASSWORD)
    for address in bots(ALLOWED):
        assert api_door(name, "a guess", address).status_code == 401
    assert api_door(spelling, "a guess", CAFE).status_code == 429
