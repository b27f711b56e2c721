"""How Redis is asked: a request gives up at once, long work tries again and lets others in between.

A request gives up at the first failure, and SQL serves. A rebuild of a million players would have to begin anew because
of one slow answer, and on a busy machine never end. All that is sent is safe to repeat.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from redis.exceptions import RedisError

from api.redis_client import breaker
from scoreboard.standing import ReadSideAway

RETRY_FOR_SECONDS = 5.0  # well below LOCK_SECONDS
RETRY_SECONDS = 0.1
_retry_for: ContextVar[float] = ContextVar("retry_for", default=0.0)

SLICE = 200  # players written in one script call of long work: no other client is served while it runs

T = TypeVar("T")


class Unavailable(ReadSideAway):
    """Redis cannot be reached, is too slow, or refuses writes."""


class Misses:
    """`latest`: another object after each call that Redis did not answer this process."""

    def __init__(self) -> None:
        self.latest = object()

    def add(self) -> None:
        self.latest = object()


misses = Misses()


def ask(call: Callable[[], Any]) -> Any:
    """Redis' answer, at once or not at all, or, inside `retrying`, after some tries; raises Unavailable."""
    deadline = time.monotonic() + _retry_for.get()
    while True:
        try:
            if breaker.is_open:
                raise Unavailable("Redis failed a moment ago")
            return call()
        except RedisError as error:
            breaker.trip()
            failure = Unavailable(str(error))
            failure.__cause__ = error
        except Unavailable as error:
            failure = error
        if time.monotonic() >= deadline:
            misses.add()
            raise failure
        time.sleep(RETRY_SECONDS)


@contextmanager
def retrying() -> Iterator[None]:
    """What is asked in here is asked again for RETRY_FOR_SECONDS."""
    token = _retry_for.set(RETRY_FOR_SECONDS)
    try:
        yield
    finally:
        _retry_for.reset(token)


def slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The same in SLICEs, so that others come to their turn in between."""
    return (items[start : start + SLICE] for start in range(0, len(items), SLICE))
