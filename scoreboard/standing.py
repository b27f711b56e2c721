"""What the write side tells of a player, and what comes back."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """How a player stands in one period of a board (`standing_place`); `points` as they rank, the higher the better.

    `metadata`: the JSON of the entry that is shown, as PostgreSQL writes it.
    """

    period: int
    points: int
    reached_at: datetime
    shown: bool
    metadata: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """All that a board shows of one player, as of `version`. A higher version always replaces a lower one.

    One row of the view `player_standings`, whose columns these are but for the last two: `places` are the player's on
    other boards, as far as they are told of (`PLACES`); `metadata` is that of the player's place on such a board.
    """

    user_id: uuid.UUID
    total: int
    version: int
    reached_at: datetime
    visible: bool
    username: str
    avatar_url: str
    region: str
    places: tuple[Place, ...] = ()
    metadata: str | None = None

    def at(self, place: Place) -> "Standing":
        """The same player in another board's period."""
        visible = self.visible and place.shown
        return replace(
            self,
            total=place.points,
            reached_at=place.reached_at,
            visible=visible,
            places=(),
            metadata=place.metadata,
        )


COLUMNS = ", ".join(field.name for field in fields(Standing)[:-2])
PLACES = "standing_places(user_id)"  # beside COLUMNS: all there are
# The same of a row (alias `o`) that holds a standing in one column, as the outcomes of SQL's functions do.
NESTED_COLUMNS = ", ".join([*(f"(o.standing).{field.name}" for field in fields(Standing)[:-2]), "o.places"])


def standing_of(columns: Sequence[Any]) -> Standing:
    """From COLUMNS and places as SQL's JSON has them, or NULL."""
    known, places = columns[:-1], columns[-1]
    return replace(Standing(*known), places=tuple(place_of(*place) for place in places)) if places else Standing(*known)


def place_of(period: int, points: int, microseconds: int, shown: bool, metadata: str | None = None) -> Place:
    return Place(period, points, EPOCH_START + timedelta(microseconds=microseconds), shown, metadata)


def standing_or_none(columns: Sequence[Any]) -> Standing | None:
    """The standing in NESTED_COLUMNS; None where there is none."""
    return standing_of(columns) if columns[0] is not None else None


class ReadSideAway(Exception):
    """What the projector raises when the read side cannot be reached: foreseen, and no defect."""
