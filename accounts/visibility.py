"""Changes of what a board shows of a player beside the score: hidden, opted out or disabled, name, avatar, region.

They raise the same version as a score does (a trigger sees to it). The boards, which are above this app in the import
law, hear of them by the one callable set with `on_shown_changed`.
"""

import uuid
from collections.abc import Callable, Collection, Sequence

from django.db import transaction

from accounts.models import User

SHOWN = frozenset({"username", "display_name", "avatar_url", "region", "is_hidden", "opted_out", "is_active"})


_shown_changed: Callable[[Sequence[uuid.UUID]], None] | None = None


def on_shown_changed(call: Callable[[Sequence[uuid.UUID]], None]) -> None:
    """Sets, when the apps are loaded, what is called with the ids of changed users inside their transaction."""
    global _shown_changed
    _shown_changed = call


def announce(user_ids: Sequence[uuid.UUID]) -> None:
    """What a board shows of these users was changed by the caller."""
    if _shown_changed is not None:
        _shown_changed(user_ids)


def set_hidden(user_ids: Sequence[uuid.UUID], *, hidden: bool) -> list[uuid.UUID]:
    """Takes these players off every board, at once, or puts them back to where their totals belong; returns those for
    whom that was a change. Who was erased stays hidden."""
    with transaction.atomic():
        # Locked in one order, so that two of these over the same players wait for each other and never in a circle;
        # without the key, so that the ledger's foreign keys need not wait at all.
        concerned = User.objects.filter(pk__in=user_ids, is_hidden=not hidden, erased_at=None).order_by("pk")
        changed = list(concerned.select_for_update(no_key=True).values_list("pk", flat=True))
        User.objects.filter(pk__in=changed).update(is_hidden=hidden)
        announce(changed)
    return changed


def save_profile(user: User, fields: Collection[str]) -> None:
    """Saves these columns of a user, and no other: what another request changed meanwhile stays."""
    if fields:
        user.save(update_fields=fields)
        if SHOWN.intersection(fields):
            announce([user.pk])
