"""Fixtures of the API tests: a Redis of our own, to be taken away."""

from tests.faults.redis_of_our_own import own_redis

__all__ = ["own_redis"]
