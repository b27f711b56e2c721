"""Something that happens in another session while this one's transaction is open."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, connections, transaction
from django.utils import timezone


class Meanwhile:
    """A call in a thread with a connection of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.result: Any = None
        self.thread = threading.Thread(target=self.run, args=[call])
        self.thread.start()

    def run(self, call: Callable[[], Any]) -> None:
        try:
            self.result = call()
        except Exception as error:
            self.result = error
        finally:
            connections.close_all()

    def outcome(self) -> Any:
        """What the call returned, or the exception it raised, once it has ended."""
        self.thread.join(30)
        assert not self.thread.is_alive()
        return self.result

    def wait_until_blocked(self) -> None:
        """Until a session waits for a lock of this thread's transaction."""
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        deadline = timezone.now().timestamp() + 20
        with connection.cursor() as cursor:
            while timezone.now().timestamp() < deadline:
                cursor.execute(waiting)
                if cursor.fetchone()[0]:
                    return
        raise AssertionError("no session waits")


@contextmanager
def uncommitted(write: Callable[[], Any]) -> Iterator[None]:
    """`write` is done in another session's transaction that stays open for the time of the block, then commits."""
    written, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            write()
            written.set()
            go_on.wait(20)

    other = Meanwhile(hold)
    assert written.wait(20)
    try:
        yield
    finally:
        go_on.set()
        assert other.outcome() is None
