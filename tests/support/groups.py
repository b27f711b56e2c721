"""Group commit, held back until a test has seen a group gather."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from actions.batcher import Batcher
from tests.support.processes import PATIENCE


class Held:
    """The `commit` of `actions.awards` or `actions.redemption`; remembers the groups' sizes."""

    def __init__(self, module: ModuleType) -> None:
        self.sizes: list[int] = []
        self.released = threading.Event()
        self.commit = module.commit
        self.batcher: Batcher[Any] = Batcher(self)

    def __call__(self, admitted: Sequence[Any]) -> None:
        self.sizes.append(len(admitted))
        self.released.wait(PATIENCE)
        self.commit(admitted)


@contextmanager
def in_groups(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """This process commits in groups, as a `web` process does."""
    held = Held(module)
    monkeypatch.setattr(module, "_batcher", held.batcher)
    yield held
    held.released.set()
    held.batcher.close()
