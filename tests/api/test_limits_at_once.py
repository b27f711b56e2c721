"""64 threads against each limit at one moment: exactly the allowed number gets through, and never one more."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as site
from django.core.cache import cache
from django.db import connection
from pytest_django.fixtures import Settings
from rest_framework.throttling import SimpleRateThrottle

from accounts import api_keys
from accounts.models import User
from actions.models import ActionToken
from api import redis_client, throttles
from tests.support.client import MINT, TOP, UPDATE, Api
from tests.support.processes import PATIENCE
from tests.support.races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh_limits")]

THREADS = 64
ALLOWED = 10
SIGN_IN, SIGN_UP = "/api/v1/auth/token", "/api/v1/auth/register"
MINT_BODY = {"action_type": "WIN_MATCH"}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty-four threads on two cores may take their time to connect."""
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "connect_timeout", 60)


@pytest.fixture
def only(settings: Settings) -> Callable[..., None]:
    """These limits and no others."""

    def limit(**policies: str) -> None:
        named = {name.replace("_", "-"): text for name, text in policies.items()}
        settings.LIMITS = {**dict.fromkeys(site.LIMITS, "off"), **named}

    return limit


def statuses(ask: Callable[[Api], Any]) -> dict[int, int]:
    """How often each status was answered when 64 threads asked at one moment."""
    answers = at_once(THREADS, lambda _: int(ask(Api()).status_code), connected=False)
    assert not [answer for answer in answers if isinstance(answer, Exception)], answers
    return dict(Counter(answer for answer in answers if isinstance(answer, int)))


CALLS: dict[str, tuple[str, int, Callable[[Api, User], Any]]] = {
    "ip": ("ip", 405, lambda api, alice: api.post(TOP, {})),
    "user": ("user", 400, lambda api, alice: api.post(UPDATE, {}, alice)),
    "sign-in": ("sign-in", 400, lambda api, alice: api.post(SIGN_IN, {})),
    "sign-up": ("sign-up", 400, lambda api, alice: api.post(SIGN_UP, {})),
    "sign-in page": ("sign-in", 200, lambda api, alice: api.client.post("/accounts/sign-in", {})),
    "sign-up page": ("sign-up", 200, lambda api, alice: api.client.post("/accounts/sign-up", {})),
    "admin page": ("sign-in", 200, lambda api, alice: api.client.post("/admin/login/", {})),
    "sign-in account": ("sign-in-account", 401, lambda api, alice: api.post(SIGN_IN, guess(alice))),
    "sign-in account by page": ("sign-in-account", 200, lambda api, alice: page(api, "/accounts/sign-in", alice)),
    "sign-in account by admin": ("sign-in-account", 200, lambda api, alice: page(api, "/admin/login/", alice)),
}


SOME = ("ip", "sign-in account", "sign-in page")


def guess(user: User) -> dict[str, str]:
    return {"username": user.username, "password": "not the one"}


def page(api: Api, path: str, user: User) -> Any:
    return api.client.post(path, guess(user))


@pytest.mark.usefixtures("unbounded_hashes")
@pytest.mark.parametrize(
    "call", [name if name in SOME else pytest.param(name, marks=pytest.mark.long) for name in CALLS]
)
def test_exactly_the_allowed_number_gets_through(only: Callable[..., None], alice: User, call: str) -> None:
    policy, status, ask = CALLS[call]
    only(**{policy.replace("-", "_"): f"{ALLOWED}/hour"})
    assert statuses(lambda api: ask(api, alice)) == {status: ALLOWED, 429: THREADS - ALLOWED}


def test_an_api_keys_own_limit_holds(only: Callable[..., None], alice: User) -> None:
    only()
    _, text = api_keys.issue("game server", ["mint"], limit=f"{ALLOWED}/hour")
    body = {"user_id": str(alice.pk), **MINT_BODY}
    assert statuses(lambda api: api.post(MINT, body, headers={"X-API-Key": text})) == {
        201: ALLOWED,
        429: THREADS - ALLOWED,
    }
    assert ActionToken.objects.filter(user=alice).count() == ALLOWED


def test_guesses_of_api_keys_are_limited(only: Callable[..., None]) -> None:
    only(sign_in=f"{ALLOWED}/hour")
    guess = {"X-API-Key": "sb_0123456789ab_" + "x" * 43}
    assert statuses(lambda api: api.post(MINT, {}, headers=guess)) == {403: ALLOWED, 429: THREADS - ALLOWED}


def test_a_process_on_its_own_counts_as_exactly() -> None:
    """What limits while Redis is away: the fallback's memory is shared by threads too."""
    redis_client.breaker.trip()
    redis_client.breaker.open_until += 60
    charge = throttles.Charge("ip", throttles.parse(f"{ALLOWED}/hour") or pytest.fail("off"), ("somebody",))
    taken = at_once(THREADS, lambda _: throttles.take(charge) is None, connected=False)
    assert taken.count(True) == ALLOWED
    redis_client.breaker.open_until = 0.0


class GetThenSet(SimpleRateThrottle):
    """The control: REST framework's own throttle reads the history, then writes it back. Here all have read before one
    writes."""

    read = threading.Barrier(THREADS)
    rate = f"{ALLOWED}/hour"
    scope = "control"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return f"{site.REDIS_KEY_PREFIX}control"

    def throttle_success(self) -> bool:
        self.read.wait(PATIENCE)
        return bool(super().throttle_success())


def test_control_a_counter_that_gets_and_then_sets_lets_more_through() -> None:
    cache.delete(GetThenSet().get_cache_key(None, None))
    allowed = at_once(THREADS, lambda _: GetThenSet().allow_request(None, None), connected=False)  # type: ignore[arg-type]
    assert allowed == [True] * THREADS
    assert THREADS > ALLOWED
