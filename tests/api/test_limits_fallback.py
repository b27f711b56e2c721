"""Limits while Redis is away: each process counts for itself, says so, and never leaves the door open."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from api import redis_client, throttles
from tests.support.client import MINT, Api, assert_problem
from tests.support.fixtures import forget_limits
from tests.support.redis_of_our_own import OwnRedis

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unused")]

CHARGE = throttles.Charge("ip", throttles.parse("5/hour") or pytest.fail("off"), ("somebody",))


@pytest.fixture
def unused(own_redis: OwnRedis) -> Iterator[None]:
    """Allowances without a use yet."""
    forget_limits()
    yield
    forget_limits()


def killed(redis: OwnRedis) -> None:
    redis.kill()


def stopped(redis: OwnRedis) -> None:
    redis.stop()


def paused(redis: OwnRedis) -> None:
    redis.send(signal.SIGSTOP)


def full(redis: OwnRedis) -> None:
    redis_client.connection().config_set("maxmemory", 1)


def overwritten(redis: OwnRedis) -> None:
    connection: Any = redis_client.connection()
    for key in connection.keys("*limits*"):
        connection.set(key, "garbage")


AWAY: dict[str, Callable[[OwnRedis], None]] = {
    "killed": killed,
    "stopped": stopped,
    "paused": paused,
    "full": full,
    "overwritten": overwritten,
}


@pytest.fixture
def break_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt on Redis, then none for the rest of the test."""
    monkeypatch.setattr(redis_client.breaker, "seconds", 60.0)


def fallbacks() -> float:
    return REGISTRY.get_sample_value("scoreboard_limiter_fallbacks_total") or 0.0


@pytest.mark.parametrize("how", AWAY)
def test_the_limit_holds_is_counted_and_logged(
    own_redis: OwnRedis, break_once: None, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    assert throttles.take(CHARGE) is None
    AWAY[how](own_redis)
    before = fallbacks()
    taken = [throttles.take(CHARGE) is None for _ in range(50)]
    assert taken == [True] * 5 + [False] * 45
    assert fallbacks() == before + 50
    warnings = [record for record in caplog.records if "limiter_fell_back" in str(record.msg)]
    assert len(warnings) == 1, "one attempt on the Redis that is away, not one for each request"


def test_calls_and_pages_are_refused_as_ever(
    api: Api, client: Client, own_redis: OwnRedis, break_once: None, settings: Settings
) -> None:
    settings.LIMITS = {**settings.LIMITS, "ip": "3/minute", "sign-in": "1/minute"}
    own_redis.kill()
    assert api.post(MINT, {}).status_code == 401
    assert client.post("/accounts/sign-in", {}).status_code == 200
    page = client.post("/accounts/sign-in", {})
    assert (page.status_code, page["RateLimit-Policy"]) == (429, '"sign-in";q=1;w=60')
    refused = api.post(MINT, {})
    assert_problem(refused, "rate-limited")
    assert refused["RateLimit-Policy"] == '"ip";q=3;w=60'
    assert refused["RateLimit"] == f'"ip";r=0;t={refused["Retry-After"]}'


def test_others_are_not_refused_with_the_one_who_used_up_the_allowance(own_redis: OwnRedis, break_once: None) -> None:
    own_redis.kill()
    other = throttles.Charge(CHARGE.policy, CHARGE.item, ("another",))
    for _ in range(10):
        throttles.take(CHARGE)
    assert throttles.take(other) is None


def test_back_again_redis_counts_where_it_had_stopped(own_redis: OwnRedis, break_once: None) -> None:
    for _ in range(3):
        assert throttles.take(CHARGE) is None
    own_redis.stop()
    assert throttles.take(CHARGE) is None
    own_redis.start()
    before = fallbacks()
    assert [throttles.take(CHARGE) is None for _ in range(4)] == [True, True, False, False]
    assert fallbacks() == before


def test_redis_that_lost_its_scripts_counts_on(own_redis: OwnRedis) -> None:
    assert throttles.take(CHARGE) is None
    redis_client.connection().script_flush()
    before = fallbacks()
    assert [throttles.take(CHARGE) is None for _ in range(6)] == [True] * 4 + [False] * 2
    assert fallbacks() == before
