"""Deleting what is kept no longer."""

from typing import Any

from django.db.models import QuerySet


def purge(old: QuerySet[Any], chunk: int = 5000) -> int:
    """Deletes these rows in short transactions of `chunk` rows; returns how many."""
    purged, last = 0, chunk
    while last == chunk:
        last, _ = old.model._default_manager.filter(pk__in=old.values("pk")[:chunk]).delete()
        purged += last
    return purged
