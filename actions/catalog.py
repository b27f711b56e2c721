"""The catalogue as the hot path sees it: each type read at most every REFRESH_SECONDS by each process."""

import time

from actions.models import ActionType
from api.problems import Problem

REFRESH_SECONDS = 2.0  # how long an edit in admin takes, at most, to reach the limits; points are read at every mint

_known: dict[str, tuple[float, ActionType]] = {}


def find(slug: str) -> ActionType:
    """The working type with this slug; raises Problem not-found. Only what exists is remembered."""
    now = time.monotonic()
    read_at, action_type = _known.get(slug, (0.0, None))
    if action_type is None or now - read_at > REFRESH_SECONDS:
        action_type = ActionType.objects.working().filter(slug=slug).first()
        if action_type is None:
            _known.pop(slug, None)
            raise Problem("not-found", "There is no such action type.")
        _known[slug] = (now, action_type)
    return action_type
