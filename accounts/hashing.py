"""How many passwords a process hashes at once: hashing is slow on purpose, and must not take every thread there is.

HASHES_AT_ONCE are made, HASHES_WAITING more wait; who comes then is told to come back. The hashers are where every door
leads: API, pages, admin and commands.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth import hashers

from api.problems import Problem

RETRY_SECONDS = 1

_changed = threading.Condition()
_inside = _hashing = 0


@contextmanager
def slot() -> Iterator[None]:
    """One of the process's slots, waited for. Raises Problem unavailable when too many wait already."""
    global _inside, _hashing
    with _changed:
        if _inside >= settings.HASHES_AT_ONCE + settings.HASHES_WAITING:
            sentence = "Too many passwords are being checked right now; try again."
            raise Problem("unavailable", sentence, headers={"Retry-After": str(RETRY_SECONDS)})
        _inside += 1
        _changed.wait_for(lambda: _hashing < settings.HASHES_AT_ONCE)
        _hashing += 1
    try:
        yield
    finally:
        with _changed:
            _inside -= 1
            _hashing -= 1
            _changed.notify()


class Bounded:
    """A hasher that hashes in a slot; `verify` and `make_password` both come to `encode`."""

    def encode(self, *args: Any, **kwargs: Any) -> str:
        with slot():
            return str(super().encode(*args, **kwargs))  # type: ignore[misc]


class ScryptPasswordHasher(Bounded, hashers.ScryptPasswordHasher):
    pass


class PBKDF2PasswordHasher(Bounded, hashers.PBKDF2PasswordHasher):
    pass
