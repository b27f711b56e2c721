"""Many threads at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def at_once(count: int, call: Callable[[int], T], *, connected: bool = True) -> list[T | Exception]:
    """Runs call(0) … call(count - 1) in as many threads, released together once each has its own connection.

    The result or the exception of each, in that order. `connected=False`: for calls that hardly need the database,
    which has only about a hundred connections to give.
    """
    barrier = threading.Barrier(count)

    def run(number: int) -> T | Exception:
        try:
            if connected:
                connections["default"].ensure_connection()
            barrier.wait(30)
            return call(number)
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def none_failed(results: list[T | Exception]) -> list[T]:
    """The results; raises the first exception among them."""
    for result in results:
        if isinstance(result, Exception):
            raise result
    return [result for result in results if not isinstance(result, Exception)]
