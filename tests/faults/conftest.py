"""Fixtures of the fault tests: the live side's, and a Redis of our own."""

from tests.faults.redis_of_our_own import own_redis
from tests.live.conftest import start

__all__ = ["own_redis", "start"]
