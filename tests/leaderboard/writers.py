"""Others who write while a reconcile runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections

from accounts.models import User
from scoreboard import ledger
from tests.support.people import give
from tests.support.processes import PATIENCE


@contextmanager
def writers(count: int, crowd: list[User]) -> Iterator[None]:
    """Threads that score, hide, unhide and rename these players as fast as they can."""
    stop = threading.Event()
    failures: list[Exception] = []

    def write(number: int) -> None:
        turn = number
        try:
            while not stop.is_set():
                user = crowd[turn % len(crowd)]
                turn += 1
                if turn % 11 == 0:
                    hidden = {"is_hidden": turn % 2 == 0}
                    User.objects.filter(pk=user.pk).update(**hidden)
                    ledger.announce_players([user.pk])
                else:
                    give(user, 1 + turn % 3)
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert failures == []
