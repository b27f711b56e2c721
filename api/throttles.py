"""Rate limits: moving windows in Redis, exact under concurrency. All policies that concern a request apply together.

The policies are settings (LIMIT_… in .env.example). While Redis is away each process counts for itself: with n
processes a client may get n times its allowance for that time, never an open door.
"""

import math
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, cast

import limits
import structlog
from django.conf import settings
from django.http import HttpRequest
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from api.client_address import client_address
from api.metrics import LIMITED, LIMITER_FALLBACKS
from api.problems import Problem
from api.redis_client import breaker, connection
from api.timing import on_redis

log = structlog.get_logger(__name__)

OFF = "off"
CLOCKS_APART_SECONDS = 60.0  # the machines of one site may be; further apart is a clock that was set
LIMIT = re.compile(r"[1-9][0-9]{0,6}/([1-9][0-9]{0,2} )?(second|minute|hour|day)s?", re.ASCII)


for policy in settings.LIMITS:
    LIMITED.labels(policy)


@dataclass(frozen=True, slots=True)
class Charge:
    """One allowance to be charged: a policy's name, its window, whom it counts, and how many uses it takes."""

    policy: str
    item: limits.RateLimitItem
    who: tuple[str, ...]
    uses: int = 1


@lru_cache(maxsize=256)
def parse(text: str) -> limits.RateLimitItem | None:
    """ "100/minute" or "5/10 minutes" → an item; None for "off". Raises ValueError for anything else.

    Stricter than `limits` itself, which reads "5/0 minute" as 5/minute, and windows that Redis cannot count as well.
    """
    wanted = text.strip().lower()
    if wanted == OFF:
        return None
    if not LIMIT.fullmatch(wanted):
        raise ValueError(f"expected a limit such as 100/minute or 5/10 minutes, or off; got {text!r}")
    return limits.parse(wanted)


def charge(policy: str, *who: str) -> Charge | None:
    """The charge of a policy of settings.LIMITS; None when it is off."""
    item = parse(settings.LIMITS[policy])
    return Charge(policy, item, who) if item else None


def allowance(policy: str) -> tuple[int, int] | None:
    """(most, seconds) of a policy that the database counts; None when it is off."""
    item = parse(settings.LIMITS[policy])
    return (item.amount, item.get_expiry()) if item else None


def hit(*charges: Charge | None) -> None:
    """Charges each allowance in turn; raises Problem rate-limited at the first that is used up."""
    for one in charges:
        if one and (reset := take(one)) is not None:
            raise used_up(one.policy, one.item.amount, one.item.get_expiry(), reset - time.time())


def take(one: Charge) -> float | None:
    """Takes from the allowance. None, or, when too little is left, the Unix time at which the oldest use expires."""
    if not breaker.is_open:
        try:
            with on_redis("limit"):
                return take_from(shared(), one)
        except RedisError as error:
            breaker.trip()
            log.warning("limiter_fell_back", error=str(error))
    LIMITER_FALLBACKS.inc()
    return take_from(own(), one)


def take_from(limiter: MovingWindowRateLimiter, one: Charge) -> float | None:
    if limiter.hit(one.item, one.policy, *one.who, cost=one.uses):
        return None
    reset = float(limiter.get_window_stats(one.item, one.policy, *one.who).reset_time)
    if reset <= time.time() + one.item.get_expiry() + CLOCKS_APART_SECONDS:
        return reset
    # A use in the future: the clock was set back, and until it is there again nothing would leave the window.
    limiter.clear(one.item, one.policy, *one.who)
    limiter.hit(one.item, one.policy, *one.who, cost=one.uses)
    return None


def used_up(policy: str, most: int, seconds: int, wait_seconds: float) -> Problem:
    """429 that says when to come back: draft-ietf-httpapi-ratelimit-headers and RFC 9110 section 10.2.3. Counted."""
    LIMITED.labels(policy).inc()
    wait = max(1, math.ceil(wait_seconds))
    return Problem(
        "rate-limited",
        f"At most {most} in {seconds} s ({policy}); try again in {wait} s.",
        headers={
            "Retry-After": str(wait),
            "RateLimit-Policy": f'"{policy}";q={most};w={seconds}',
            "RateLimit": f'"{policy}";r=0;t={wait}',
        },
    )


@cache
def shared() -> MovingWindowRateLimiter:
    """The limiter all processes share."""
    storage = RedisStorage(
        "redis://", connection_pool=connection().connection_pool, key_prefix=f"{settings.REDIS_KEY_PREFIX}limits"
    )
    return MovingWindowRateLimiter(storage)


def key(one: Charge) -> str:
    """Redis' key of the window that the shared limiter counts this charge in."""
    return cast(RedisStorage, shared().storage).prefixed_key(one.item.key_for(one.policy, *one.who))


def own() -> MovingWindowRateLimiter:
    """This process's own limiter, for while Redis is away."""
    # functools.cache alone makes one for each thread that comes before the first is done: each would count by itself.
    with making_own:
        return make_own()


making_own = threading.Lock()


@cache
def make_own() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(MemoryStorage())


def charge_address(request: HttpRequest, policies: Sequence[str] = ()) -> None:
    """Charges the client's address: the general allowance and these policies. Pages that sign in or up call it too."""
    address = client_address(request)
    hit(charge("ip", address), *(charge(policy, address) for policy in policies))


class LimitThrottle(BaseThrottle):
    """The throttle of every API view, after authentication: each signed-in user's own allowance.

    What comes before authentication is charged by `ApiView`; what needs the body (per action type), by the view.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.successful_authenticator is not None and not getattr(request.user, "has_own_limit", False):
            hit(charge("user", str(request.user.pk)))
        return True
