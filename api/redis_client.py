"""The one configuration of Redis for synchronous code, and the breaker that keeps a hanging Redis from
holding requests."""

import time

from django_redis import get_redis_connection
from redis import Redis

BREAK_SECONDS = 1.0


class Breaker:
    """Open for some seconds after each failure: a hanging server then costs each process one timeout in that time and
    not one for every request. Shared by threads; a race only costs one more timeout."""

    def __init__(self, seconds: float = BREAK_SECONDS) -> None:
        self.seconds = seconds
        self.open_until = 0.0

    def trip(self) -> None:
        self.open_until = time.monotonic() + self.seconds

    @property
    def is_open(self) -> bool:
        return time.monotonic() < self.open_until


breaker = Breaker()


def connection() -> Redis:
    client: Redis = get_redis_connection("default")
    return client
