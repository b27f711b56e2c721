"""What the write side tells of a player, and what comes back."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Standing:
    """All that a board shows of one player, as of `version`. A higher version always replaces a lower one.

    One row of the view `player_standings`, whose columns these are.
    """

    user_id: uuid.UUID
    total: int
    version: int
    reached_at: datetime
    visible: bool
    username: str
    avatar_url: str
    region: str


COLUMNS = ", ".join(field.name for field in fields(Standing))
# The same of a row (alias `o`) that holds a standing in one column, as the outcomes of SQL's functions do.
NESTED_COLUMNS = ", ".join(f"(o.standing).{field.name}" for field in fields(Standing))


def standing_or_none(columns: Sequence[Any]) -> Standing | None:
    """The standing in NESTED_COLUMNS; None where there is none."""
    return Standing(*columns) if columns[0] is not None else None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the read side put a player: `rank` from 1, None when the player is on no board."""

    rank: int | None
    epoch: str
    seq: int


class ReadSideAway(Exception):
    """What the projector raises when the read side cannot be reached: foreseen, and no defect."""
