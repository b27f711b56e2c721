"""The border between the write side and the read side: one signal, sent after commit, with one receiver.

The write side does not know who listens. What the receiver returns, a Placement for each player it could place, travels
back to the caller through `ledger.announce`; that is how the answer to a score carries a rank.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.dispatch import Signal


@dataclass(frozen=True, slots=True)
class Standing:
    """All that a board shows of one player, as of `version`. A higher version always replaces a lower one."""

    user_id: uuid.UUID
    total: int
    version: int
    reached_at: datetime
    visible: bool
    username: str
    avatar_url: str
    region: str


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the read side put a player: `rank` from 1, None when the player is on no board."""

    rank: int | None
    epoch: str
    seq: int


class ReadSideAway(Exception):
    """What the receiver raises when the read side cannot be reached: foreseen, and no defect."""


# Sent with `standings: Sequence[Standing]` and `notify: bool`; the receiver returns `dict[uuid.UUID, Placement]`.
standing_changed = Signal()
