"""The one receiver of the one signal between the write side and the read side."""

import uuid
from collections.abc import Sequence

from leaderboard import projection
from scoreboard.signals import Placement, Standing


def project_standings(*, standings: Sequence[Standing], **_signal: object) -> dict[uuid.UUID, Placement]:
    """Receives `standing_changed` after commit; what it returns reaches the caller of `ledger.announce`."""
    return projection.project(standings)
