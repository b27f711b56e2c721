"""How often a password of one account may be tried, from however many addresses: LIMIT_SIGN_IN_ACCOUNT.

A botnet has an address for every guess, so the account is counted too. A guesser must not thereby keep the owner
out: an address from which the account was signed in to lately has an allowance of its own, which no other address can
use up. Sessions and refresh tokens are not counted at all.

The addresses are kept in Redis as keyed hashes, a few for each account, for some weeks. Without Redis there are none,
and every address is elsewhere.
"""

import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.utils.crypto import salted_hmac
from redis import Redis
from redis.exceptions import RedisError

from accounts.models import User
from accounts.names import skeleton
from api.client_address import UNKNOWN
from api.problems import Problem
from api.redis_client import breaker, connection
from api.throttles import charge, hit

log = structlog.get_logger(__name__)

POLICY = "sign-in-account"
ELSEWHERE = "elsewhere"
KEPT_SECONDS = 30 * 86_400
KEPT_ADDRESSES = 10  # of one account, the latest; each is one more allowance


def charge_attempt(username: str, address: str) -> uuid.UUID | None:
    """Charges one attempt to sign in under this name, whether or not there is such an account; returns the account.

    Raises Problem rate-limited, which names it too. Before any password is hashed.
    """
    # Under a hash: what is typed there may well be a password. Of what the name looks like, so that whichever spelling
    # finds the account, or none, has the same allowance.
    account = digest(skeleton(username))
    found = User.objects.named(username).values_list("pk", flat=True).first()
    try:
        hit(charge(POLICY, account, digest(address) if is_known(str(found), address) else ELSEWHERE))
    except Problem as refusal:
        refusal.subject = found
        raise
    return found


def is_known(account: str, address: str) -> bool:
    """Whether this account was signed in to from this address lately."""
    since = time.time() - KEPT_SECONDS
    seen = ask(lambda redis: redis.zscore(key(account), digest(address)))
    return seen is not None and float(seen) >= since


def remember(user_id: uuid.UUID, address: str) -> None:
    """Notes that the password was known at this address."""
    if address == UNKNOWN:
        return
    name, now = key(str(user_id)), time.time()

    def write(redis: Redis) -> None:
        with redis.pipeline() as pipeline:
            pipeline.zadd(name, {digest(address): now})
            pipeline.zremrangebyrank(name, 0, -KEPT_ADDRESSES - 1)
            pipeline.expire(name, KEPT_SECONDS)
            pipeline.execute()

    ask(write)


def known(user_id: uuid.UUID) -> dict[str, float]:
    """Hashed address → Unix time of the last sign-in from it."""
    found = ask(lambda redis: redis.zrange(key(str(user_id)), 0, -1, withscores=True)) or []
    return {member.decode(): float(at) for member, at in found}


def forget(user_id: uuid.UUID) -> None:
    """Raises RedisError when Redis is away: an erasure must not pass over what it could not erase."""
    connection().delete(key(str(user_id)))


def ask(question: Callable[[Redis], Any]) -> Any:
    """The answer; None while Redis is away."""
    if breaker.is_open:
        return None
    try:
        return question(connection())
    except RedisError as error:
        breaker.trip()
        log.warning("known_addresses_away", error=str(error))
        return None


def key(account: str) -> str:
    return f"{settings.REDIS_KEY_PREFIX}known-addresses:{account}"


def digest(text: str) -> str:
    return salted_hmac("accounts.attempts", text, algorithm="sha256").hexdigest()
