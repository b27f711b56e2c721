"""Everything about one person, over all packages: what `manage.py export_user` writes and `erase_user` erases."""

import uuid
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from actions import personal_data as actions
from leaderboard import personal_data as leaderboard
from scoreboard import erasure, held_data
from scoreboard.models import User

FORMAT = 1
# In this order: each waits for whoever is at work on what it clears, and none holds what another wants.
CLEAR: tuple[Callable[[uuid.UUID], None], ...] = (actions.clear, erasure.clear, leaderboard.clear)


def find(name_or_id: str) -> User | None:
    """By id, or by name in any capitals."""
    try:
        user_id = uuid.UUID(name_or_id)
    except ValueError:
        return User.objects.named(name_or_id).first()
    # A name may look like an id.
    return User.objects.filter(pk=user_id).first() or User.objects.named(name_or_id).first()


def export(user: User) -> dict[str, Any]:
    """One document. Raises ranking.Unavailable when Redis is away: then it would not be everything."""
    return {
        "format": FORMAT,
        "exported_at": timezone.now(),
        **held_data.held(user),
        **actions.held(user.pk),
        "boards": leaderboard.held(user.pk),
    }


def erase(user_id: uuid.UUID) -> bool:
    """For good; False when the identity was gone already, and only what may have been left of it was cleared.

    Raises erasure.StillSuperuser; ranking.Unavailable or RedisError when Redis is away: then a repeat does the rest.
    """
    erased_now = erasure.anonymise(user_id)
    for clear in CLEAR:
        clear(user_id)
    return erased_now
