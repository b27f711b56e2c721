"""Deleting what is kept no longer."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet


def purge(old: QuerySet[Any], chunk: int = 5000) -> int:
    """Deletes these rows in short transactions of `chunk` rows; returns how many."""
    return in_chunks(lambda: old.model._default_manager.filter(pk__in=old.values("pk")[:chunk]).delete()[0], chunk)


def in_chunks(delete: Callable[[], int], chunk: int) -> int:
    """Has `delete` delete up to `chunk` rows at a time and say how many, until no more are left; returns the sum."""
    purged, last = 0, chunk
    while last == chunk:
        last = delete()
        purged += last
    return purged
