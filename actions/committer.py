"""Group commit: what many request threads want redeemed at one moment becomes one statement and one Redis call.

Each `web` process has one committer thread. It takes whatever is waiting, never waits for more, and hands each request
its own part of the outcome. While it works, the next group gathers: the busier the site, the larger the groups, and the
fewer round trips and commits a redemption costs. Idle, a group is one request, and the price is a hand-over between
threads.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from psycopg.errors import LockNotAvailable

from actions.metrics import COMMIT_GROUP
from actions.tokens import Claims
from scoreboard.signals import Placement

log = structlog.get_logger(__name__)

MAX_GROUP = 200  # claims in one statement: more would hold row locks longer than anyone should wait
PATIENCE = 20.0  # seconds; longer than PostgreSQL's own statement timeout, so only a broken process gets here

Placements = Mapping[UUID, Placement]
# Redeems claims, each with the id of its request, and tells the read side: (what became of each, ranks).
Commit = Callable[[Sequence[Claims], Sequence[str]], tuple[list[Any], Placements]]


class Contended(Exception):
    """Somebody holds a row that the group needs: each request is to redeem in its own thread, where only those wait
    that have to."""


@dataclass(slots=True)
class Waiting:
    """One request's claims, and where its thread waits for their outcome."""

    claims: Sequence[Claims]
    request_id: str
    outcome: "Future[tuple[list[Any], Placements]]" = field(default_factory=Future)


class Committer:
    """Runs `commit` for groups of requests, in a thread of its own with a database connection of its own."""

    def __init__(self, commit: Commit) -> None:
        self.commit = commit
        self.waiting: deque[Waiting] = deque()
        self.arrived = threading.Condition()
        self.closed = False
        self.thread = threading.Thread(target=self.run, name="committer", daemon=True)
        self.thread.start()

    def redeem(self, claims: Sequence[Claims], request_id: str) -> tuple[list[Any], Placements]:
        """Called by a request's thread; returns its own outcomes, in order.

        Raises what `commit` raised, Contended, and OperationalError if no outcome came in time: then a repeat tells.
        """
        mine = Waiting(claims, request_id)
        with self.arrived:
            self.waiting.append(mine)
            self.arrived.notify()
        try:
            return mine.outcome.result(PATIENCE)
        except TimeoutError as error:
            raise OperationalError("the committer gave no answer in time") from error

    def close(self) -> None:
        """Settles what is waiting, then ends the thread and its database connection."""
        with self.arrived:
            self.closed = True
            self.arrived.notify()
        self.thread.join()

    def run(self) -> None:
        while group := self.take():
            self.settle(group)
        connection.close()

    def take(self) -> list[Waiting]:
        """Whatever is waiting, at least one request and at most MAX_GROUP claims (or one larger request); nothing once
        closed and settled."""
        with self.arrived:
            while not self.waiting:
                if self.closed:
                    return []
                self.arrived.wait()
            group = [self.waiting.popleft()]
            size = len(group[0].claims)
            while self.waiting and size + len(self.waiting[0].claims) <= MAX_GROUP:
                group.append(self.waiting.popleft())
                size += len(group[-1].claims)
            return group

    def settle(self, group: list[Waiting]) -> None:
        """Redeems a group and gives each request its part. A group that fails for another reason than the database's
        absence is tried request by request, so that what breaks one cannot break its neighbours."""
        COMMIT_GROUP.observe(sum(len(one.claims) for one in group))
        try:
            outcomes, placements = self.commit(
                [claims for one in group for claims in one.claims],
                [one.request_id for one in group for _ in one.claims],
            )
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
            following = iter(outcomes)
            for one in group:
                one.outcome.set_result(([next(following) for _ in one.claims], placements))


def fail(group: list[Waiting], error: Exception) -> None:
    for one in group:
        one.outcome.set_exception(error)
