"""Many threads at the same moment."""

import fcntl
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from django.db import connection, connections, transaction

from accounts.models import User
from scoreboard import ledger
from tests.support.boards import award
from tests.support.people import entry
from tests.support.processes import PATIENCE, eventually

T = TypeVar("T")

CROWD = 16


def at_once(count: int, call: Callable[[int], T], *, connected: bool = True) -> list[T | Exception]:
    """Runs call(0) … call(count - 1) in as many threads, released together once each has its own connection.

    The result or the exception of each, in that order. `connected=False`: for calls that hardly need the database,
    which has only about a hundred connections to give.
    """
    with one_crowd_at_a_time() if count >= CROWD else nullcontext():
        return released_together(count, call, connected=connected)


@contextmanager
def one_crowd_at_a_time() -> Iterator[None]:
    """Of all that test this site on this machine: the connections of several would be too many for one PostgreSQL."""
    path = Path(tempfile.gettempdir()) / f"scoreboard-crowd-{os.getuid()}"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def released_together(count: int, call: Callable[[int], T], *, connected: bool) -> list[T | Exception]:
    barrier = threading.Barrier(count)

    def run(number: int) -> T | Exception:
        try:
            if connected:
                connections["default"].ensure_connection()
            barrier.wait(PATIENCE)
            return call(number)
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


class Meanwhile:
    """A call in another session: in a thread with a connection of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.future = ThreadPoolExecutor(1).submit(self.run, call)

    def run(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        finally:
            connections.close_all()

    @property
    def ended(self) -> bool:
        return self.future.done()

    def outcome(self) -> Any:
        """What the call returned, once it has ended; raises what it raised."""
        return self.future.result(PATIENCE)

    def wait_until_blocked(self) -> None:
        eventually(blocking, "a session waits for this one")


def blocking() -> bool:
    """Whether a session waits for a lock of this thread's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])


@contextmanager
def beside(work: Callable[[Callable[[], None]], object]) -> Iterator[None]:
    """Another session does `work` as far as its call of `pause`, and goes on when the block is left."""
    reached, left = threading.Event(), threading.Event()

    def pause() -> None:
        reached.set()
        assert left.wait(PATIENCE)

    other = Meanwhile(lambda: work(pause))
    assert reached.wait(PATIENCE)
    try:
        yield
    finally:
        left.set()
        other.outcome()


@contextmanager
def uncommitted(write: Callable[[], Any], *, commits: bool = True) -> Iterator[None]:
    """`write` is done in another session's transaction that stays open for the time of the block, and then ends."""

    def hold(pause: Callable[[], None]) -> None:
        with transaction.atomic():
            write()
            pause()
            transaction.set_rollback(not commits)

    with beside(hold):
        yield


def none_failed(results: list[T | Exception]) -> list[T]:
    """The results; raises the first exception among them."""
    for result in results:
        if isinstance(result, Exception):
            raise result
    return [result for result in results if not isinstance(result, Exception)]


def unfinished(user: User, delta: int) -> AbstractContextManager[None]:
    """Inside, a transaction has recorded an entry of this player and is still open; then it commits."""
    return uncommitted(lambda: award(user, delta))


def open_transaction(user: User, *, commits: bool) -> AbstractContextManager[None]:
    """Another session that has recorded 7 points and ends its transaction only after the block."""
    return uncommitted(lambda: ledger.record([entry(user, 7)]), commits=commits)
