"""Group commit: what many request threads want written at one moment becomes one statement and one Redis call.

Each `web` process has two batchers, one for redemptions and one for awards, with a thread each. Each takes whatever is
waiting, never waits for more, and wakes each request when its own items are done. While it works, the next group
gathers: the busier the site, the larger the groups, and the fewer round trips and commits a write costs. Idle, a group
is one request, and the price is a hand-over between threads.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from psycopg.errors import LockNotAvailable

from actions.metrics import COMMIT_GROUP
from api import tracing

log = structlog.get_logger(__name__)

MAX_GROUP = 200  # items in one statement: more would hold row locks longer than any request should wait
TIMEOUT = 20.0  # seconds; longer than PostgreSQL's own statement timeout, so only a broken process gets here
LOCK_TIMEOUT_MS = 200  # for a row that another session holds: every request of the process waits meanwhile

T = TypeVar("T")


class Contended(Exception):
    """Another session holds a row that the group needs: each request is to write in its own thread, where only those
    wait that have to."""


@dataclass(slots=True)
class Waiting(Generic[T]):
    """One request's items, and where its thread waits."""

    items: Sequence[T]
    done: "Future[None]" = field(default_factory=Future)
    trace: str = field(default_factory=tracing.current)
    group: str = ""  # the trace in which its group was written


class Batcher(Generic[T]):
    """Runs `work` on groups of items, in a thread of its own with a database connection of its own.

    `work` writes the outcome into each item. When it raises, it has written nothing, neither there nor in PostgreSQL.
    """

    def __init__(self, work: Callable[[Sequence[T]], None]) -> None:
        self.work = work
        self.waiting: deque[Waiting[T]] = deque()
        self.arrived = threading.Condition()
        self.closed = False
        self.thread = threading.Thread(target=self.run, name="batcher", daemon=True)
        self.thread.start()

    def put(self, items: Sequence[T]) -> None:
        """Called by a request's thread; returns when `work` has been done on its items.

        Raises what `work` raised, Contended, and OperationalError if it took too long: then a repeat tells.
        """
        if not items:
            return
        mine = Waiting(items)
        with self.arrived:
            self.waiting.append(mine)
            self.arrived.notify()
        try:
            mine.done.result(TIMEOUT)
        except TimeoutError as error:
            raise OperationalError("the batcher gave no answer in time") from error
        tracing.link(mine.group)

    def backlog(self) -> int:
        """Items that wait for the group under way to be done."""
        with self.arrived:
            return sum(len(one.items) for one in self.waiting)

    def close(self) -> None:
        """Does what is waiting, then ends the thread and its database connection."""
        with self.arrived:
            self.closed = True
            self.arrived.notify()
        self.thread.join()

    def run(self) -> None:
        while group := self.take():
            self.settle(group)
        connection.close()

    def take(self) -> list[Waiting[T]]:
        """Whatever is waiting, at least one request and at most MAX_GROUP items (or one larger request); nothing once
        closed and done."""
        with self.arrived:
            while not self.waiting:
                if self.closed:
                    return []
                self.arrived.wait()
            group = [self.waiting.popleft()]
            size = len(group[0].items)
            while self.waiting and size + len(self.waiting[0].items) <= MAX_GROUP:
                group.append(self.waiting.popleft())
                size += len(group[-1].items)
            return group

    def settle(self, group: list[Waiting[T]]) -> None:
        """Does a group's work and wakes its requests. A group that fails for another reason than the database's
        absence is tried request by request, so that what breaks one cannot break its neighbours."""
        items = [item for one in group for item in one.items]
        COMMIT_GROUP.observe(len(items))
        try:
            close_old_connections()
            connection.close_if_health_check_failed()
            if connection.connection is None:
                with connection.cursor() as cursor:
                    cursor.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
            with tracing.joined("commit", [one.trace for one in group], items=len(items)):
                for one in group:
                    one.group = tracing.current()
                self.work(items)
        except (OperationalError, InterfaceError) as error:
            if isinstance(error.__cause__, LockNotAvailable):
                log.info("commit_group_contended", requests=len(group))
                fail(group, Contended())
            else:
                connection.close()
                fail(group, error)
        except Exception as error:
            close_old_connections()
            if len(group) == 1:
                fail(group, error)
            else:
                log.exception("commit_group_failed", requests=len(group))
                for one in group:
                    self.settle([one])
        else:
            for one in group:
                one.done.set_result(None)


def fail(group: Sequence[Waiting[T]], error: Exception) -> None:
    for one in group:
        one.done.set_exception(error)
