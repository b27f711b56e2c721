"""What goes to a scoreboard and what comes back, as docs/openapi.yaml of the scoreboard has it."""

from typing import Any, NotRequired, Required, TypedDict


class PlayerFields(TypedDict, total=False):
    """How a player appears; what is left out stays as it is."""

    name: str
    avatar: str | None
    attributes: dict[str, Any]
    opted_out: bool


class Award(TypedDict, total=False):
    """A deed. `id` is your own id of it: the same award again pays nothing. Exactly one of `player` and `user_id`."""

    id: Required[str]
    action_type: Required[str]
    player: str
    user_id: str
    points: int
    value: int
    metadata: dict[str, Any]
    name: str
    avatar: str | None
    attributes: dict[str, Any]
    occurred_at: str


class Awarded(TypedDict):
    id: str
    player: str | None
    user_id: str
    score_delta: int
    value: int | None
    new_score: int
    rank: int | None
    replayed: bool


class Player(TypedDict):
    player: str
    user_id: str
    name: str | None
    avatar: str | None
    attributes: dict[str, Any]
    opted_out: bool
    hidden: bool
    disabled: bool
    created_at: str


class ViewerToken(TypedDict):
    token: str
    expires_in: int


class Redeemed(TypedDict):
    action_id: str
    new_score: int
    score_delta: int
    rank: int | None


class Standing(TypedDict):
    user_id: str
    username: str
    score: int
    rank: int | None
    players: int
    percentile: float | None
    updated_at: str | None
    tier: NotRequired[str | None]  # of a board with tiers


class Row(TypedDict):
    rank: int
    user_id: str
    username: str
    score: int
    avatar: str | None
    tier: NotRequired[str | None]


class Board(TypedDict):
    """The top of a board. `timestamp`: Unix seconds of its last change. `epoch`, `seq`: null while SQL stands in."""

    epoch: str | None
    seq: int | None
    timestamp: float
    players: int
    top: list[Row]
