"""Limits: which request is charged to which allowance, and what a client is told when one is used up."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as site
from django.core.exceptions import ImproperlyConfigured
from prometheus_client import REGISTRY
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from accounts.models import User
from api import redis_client, throttles
from api.checks import limits
from config.checks import enforce
from tests.support.client import MINT, TOP, UPDATE, Api, assert_problem
from tests.support.processes import eventually

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_limits")]

SIGN_IN, SIGN_UP = "/api/v1/auth/token", "/api/v1/auth/register"
Limit = Callable[..., None]


@pytest.fixture
def limit(settings: Settings) -> Limit:
    """Only these limits, all others off."""

    def only(**policies: str) -> None:
        named = {name.replace("_", "-"): text for name, text in policies.items()}
        settings.LIMITS = {**dict.fromkeys(site.LIMITS, "off"), **named}

    return only


def assert_limited(response: Any, policy: str, amount: int, window: int) -> int:
    """The response is a 429 of this policy, with true headers; returns the seconds to wait."""
    detail = assert_problem(response, "rate-limited")["detail"]
    wait = int(response["Retry-After"])
    assert 1 <= wait <= window
    assert response["RateLimit-Policy"] == f'"{policy}";q={amount};w={window}'
    assert response["RateLimit"] == f'"{policy}";r=0;t={wait}'
    assert detail == f"At most {amount} in {window} s ({policy}); try again in {wait} s."
    return wait


CALLS: dict[str, tuple[str, int, Callable[[Api, User], Any]]] = {
    "ip: a board": ("ip", 200, lambda api, alice: api.get(TOP)),
    "ip: the catalogue": ("ip", 200, lambda api, alice: api.get("/api/v1/action/types")),
    "ip: the schema": ("ip", 200, lambda api, alice: api.get("/api/v1/schema")),
    "ip: without credentials": ("ip", 401, lambda api, alice: api.post(MINT, {"action_type": "COMPLETE_TASK"})),
    "ip: with wrong ones": ("ip", 401, lambda api, alice: api.post(MINT, {}, headers={"Authorization": "Bearer x"})),
    "ip: signed in": ("ip", 201, lambda api, alice: api.post(MINT, {"action_type": "COMPLETE_TASK"}, alice)),
    "ip: not a method of it": ("ip", 405, lambda api, alice: api.post(TOP, {})),
    "user: mint": ("user", 201, lambda api, alice: api.post(MINT, {"action_type": "COMPLETE_TASK"}, alice)),
    "user: update": ("user", 400, lambda api, alice: api.post(UPDATE, {}, alice)),
    "user: batch": ("user", 400, lambda api, alice: api.post("/api/v1/score/batch", {}, alice)),
    "user: own score": ("user", 200, lambda api, alice: api.get("/api/v1/score/me", alice)),
    "user: not JSON": ("user", 400, lambda api, alice: api.post(UPDATE, b"{", alice)),
    "sign-in: wrong password": ("sign-in", 401, lambda api, alice: api.post(SIGN_IN, wrong(alice))),
    "sign-in: bad body": ("sign-in", 400, lambda api, alice: api.post(SIGN_IN, {})),
    "sign-up: bad body": ("sign-up", 400, lambda api, alice: api.post(SIGN_UP, {})),
    "actions: mint": ("actions", 201, lambda api, alice: api.post(MINT, {"action_type": "COMPLETE_TASK"}, alice)),
}


def wrong(user: User) -> dict[str, str]:
    return {"username": user.username, "password": "not the one"}


@pytest.mark.parametrize("call", CALLS)
def test_each_policy_lets_its_number_through_and_refuses_the_next(
    api: Api, alice: User, limit: Limit, call: str
) -> None:
    policy, status, ask = CALLS[call]
    limit(**{policy.replace("-", "_"): "3/hour"})
    assert [ask(api, alice).status_code for _ in range(3)] == [status] * 3
    before = counted(policy)
    assert_limited(ask(api, alice), policy, 3, 3600)
    assert counted(policy) == before + 1


def counted(policy: str) -> float:
    return REGISTRY.get_sample_value("scoreboard_limited_total", {"policy": policy}) or 0.0


@pytest.mark.parametrize("call", CALLS)
def test_switched_off_nothing_is_refused(api: Api, alice: User, limit: Limit, call: str) -> None:
    limit()
    _, status, ask = CALLS[call]
    assert [ask(api, alice).status_code for _ in range(12)] == [status] * 12


def test_all_policies_that_concern_a_request_apply_together(api: Api, alice: User, bob: User, limit: Limit) -> None:
    limit(ip="5/minute", user="3/minute", actions="2/hour")
    mint = {"action_type": "COMPLETE_TASK"}
    assert [api.post(MINT, mint, alice).status_code for _ in range(2)] == [201, 201]
    assert_limited(api.post(MINT, mint, alice), "actions", 2, 3600)
    assert_limited(api.post(MINT, mint, alice), "user", 3, 60)
    assert api.post(MINT, mint, bob).status_code == 201
    assert_limited(api.post(MINT, mint, bob), "ip", 5, 60)


def test_a_user_is_limited_wherever_the_requests_come_from(
    api: Api, alice: User, bob: User, limit: Limit, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = 1
    limit(user="3/minute", ip="3/minute")
    where = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(5)]
    answers = [api.get("/api/v1/score/me", alice, headers=header) for header in where]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert_limited(answers[-1], "user", 3, 60)
    assert api.get("/api/v1/score/me", bob, headers=where[0]).status_code == 200


def test_an_address_is_limited_whoever_calls_and_others_are_not(api: Api, limit: Limit, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    limit(sign_in="2/minute")
    here, there = {"X-Forwarded-For": "2001:db8::1"}, {"X-Forwarded-For": "2001:db8:0:1::1"}
    same_subscriber = {"X-Forwarded-For": "2001:db8::ffff"}
    assert [api.post(SIGN_IN, {}, headers=here).status_code for _ in range(3)] == [400, 400, 429]
    assert api.post(SIGN_IN, {}, headers=same_subscriber).status_code == 429
    assert api.post(SIGN_IN, {}, headers=there).status_code == 400


def test_a_refused_attempt_to_sign_in_costs_no_query_and_no_hash(
    api: Api, alice: User, limit: Limit, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    limit(sign_in="1/minute")
    api.post(SIGN_IN, {})
    with django_assert_num_queries(0):
        assert_limited(api.post(SIGN_IN, wrong(alice)), "sign-in", 1, 60)


def test_whoever_comes_back_later_is_let_in(api: Api, limit: Limit) -> None:
    limit(ip="2/second")
    refused = eventually(lambda: answer if (answer := api.get(TOP)).status_code == 429 else None, "the limit is met")
    assert_limited(refused, "ip", 2, 1)
    assert eventually(lambda: api.get(TOP).status_code == 200, "the window moves on")


def test_what_was_refused_does_not_count(limit: Limit) -> None:
    limit(ip="2/minute")
    charge = throttles.charge("ip", "somebody")
    assert charge
    taken = [throttles.take(charge) for _ in range(50)]
    resets = {round(reset, 3) for reset in taken if reset is not None}
    assert len(resets) == 1, "refusals moved the moment at which the window opens"


@pytest.mark.parametrize("redis_is_away", [False, True])
def test_a_clock_that_is_set_back_locks_nobody_out(monkeypatch: pytest.MonkeyPatch, redis_is_away: bool) -> None:
    if redis_is_away:
        monkeypatch.setattr(redis_client.breaker, "open_until", float("inf"))
    charge = throttles.Charge("ip", throttles.parse("5/minute") or pytest.fail("off"), ("somebody",))
    with monkeypatch.context() as an_hour_ahead:
        for storage in ("redis", "memory"):
            ahead = SimpleNamespace(time=lambda: time.time() + 3600)
            an_hour_ahead.setattr(f"limits.storage.{storage}.time", ahead)
        assert [throttles.take(charge) is None for _ in range(5)] == [True] * 5
    assert [throttles.take(charge) is None for _ in range(7)] == [True] * 5 + [False] * 2


NONSENSE = [
    *("", " ", "0/minute", "-1/minute", "100", "/minute", "minute", "100/", "100/fortnight", "1.5/minute", "1e3/hour"),
    *("5/0 minute", "5/00 minutes", "100/minute;5/second", "100/minute, 5/second", "five/minute", "\u0665/minute"),
    *("99999999/minute", "5/9999 days", "5/month", "5/year", "none", "no", "false", "OFF!", "10/minute x", "nan/hour"),
]


@pytest.mark.parametrize("policy", sorted(site.LIMITS))
@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_refused_by_the_system_check(settings: Settings, policy: str, text: str) -> None:
    settings.LIMITS = {**settings.LIMITS, policy: text}
    [error] = limits(None)
    assert error.msg.startswith(f"LIMIT_{policy.upper().replace('-', '_')}: expected a limit such as 100/minute")
    with pytest.raises(ImproperlyConfigured, match="LIMIT_"):
        enforce()


@pytest.mark.parametrize(
    ("text", "amount", "seconds"),
    [
        ("100/minute", 100, 60),
        ("1/second", 1, 1),
        ("5/10 minutes", 5, 600),
        ("100/HOUR", 100, 3600),
        (" 7/day ", 7, 86400),
    ],
)
def test_what_makes_sense_is_read(text: str, amount: int, seconds: int) -> None:
    item = throttles.parse(text)
    assert item
    assert (item.amount, item.get_expiry()) == (amount, seconds)


@pytest.mark.parametrize("text", ["off", "OFF", " off "])
def test_off_is_no_limit(text: str) -> None:
    assert throttles.parse(text) is None


def test_each_policy_is_one_environment_variable_and_a_bad_one_stops_the_start() -> None:
    wanted = {policy: f"{number}/hour" for number, policy in enumerate(site.LIMITS, start=11)}
    variables = {f"LIMIT_{policy.upper().replace('-', '_')}": text for policy, text in wanted.items()}
    read = "import json; from django.conf import settings; print(json.dumps(settings.LIMITS))"
    assert json.loads(run(["-c", read], variables).stdout) == wanted
    started = run(["-c", "import config.wsgi"], {**variables, "LIMIT_SIGN_IN": "ten a minute"})
    assert started.returncode != 0
    assert "LIMIT_SIGN_IN: expected a limit such as 100/minute" in started.stderr


def run(arguments: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", **variables}
    return subprocess.run(
        [sys.executable, *arguments], cwd=site.BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )
