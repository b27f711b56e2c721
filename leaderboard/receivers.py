"""The one receiver of the one signal between the write side and the read side."""

import uuid
from collections.abc import Sequence

from leaderboard import notices, projection
from scoreboard.signals import Placement, Standing

MAX_NOTIFIED = 100  # players of one change; the others see theirs within the second in which own lines are read anyway


def project_standings(*, standings: Sequence[Standing], notify: bool, **_signal: object) -> dict[uuid.UUID, Placement]:
    """Receives `standing_changed` after commit; what it returns reaches the caller of `ledger.announce`."""
    placements = projection.project(standings)
    if notify:
        for standing in standings[:MAX_NOTIFIED]:
            notices.standing_changed(standing.user_id)
    return placements
