"""A board, and the names of its keys in Redis.

A board here is one period of a rule, of one part of it where each value of an attribute has its own: what has an order,
viewers and keys. The rules are in SQL (scoreboard/models/boards.py).
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from leaderboard.tiers import Tiers
from scoreboard.models import Board as Rule
from scoreboard.standing import Standing

Visibility, Ties = Rule.Visibility, Rule.Ties

ALL = "all"  # the period of a board that has one for all time
BETTER = {Ties.SHARED.value: "rank", Ties.DENSE.value: "scores"}  # by ties, the last word of the key `better`


@dataclass(frozen=True, slots=True)
class Board:
    """One ranking. `slug`: how it is asked for, "weekly" or "region.eu"; `period`: the key of its period, "2026-W47".

    `low`: the lowest score wins. `ties`: which of equal scores is first, and whether they share a rank.
    """

    slug: str
    title: str
    id: int = 0  # of the period; 0 for the totals of all players, whose standings are the accounts themselves
    period: str = ALL
    part: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    low: bool = False
    ties: str = Ties.EARLIEST.value
    ready: bool = True  # not: it is being filled from the history
    closed_at: datetime | None = None
    frozen_at: datetime | None = None  # the public is shown it as of then
    truth: bool = False  # of a period that freezes, what the public is not shown
    visibility: str = Visibility.PUBLIC
    zone: str = "UTC"  # in which its days begin
    description: str = ""
    tiers: Tiers = ()

    @property
    def public(self) -> bool:
        """Whether anybody may see it."""
        return settings.LEADERBOARD_PUBLIC and self.visibility == Visibility.PUBLIC

    def shows(self, standing: Standing) -> bool:
        """Whether this player has a rank here: visible, and with something to show."""
        return standing.visible and (self.id != 0 or standing.total > 0)

    def score(self, points: int) -> int:
        """What is shown of points as they rank."""
        return -points if self.low else points

    @property
    def shares_ranks(self) -> bool:
        """Whether equals have one rank."""
        return self.ties in BETTER

    @property
    def name(self) -> str:
        """Of its keys and its group. Every period that ever was has another, so that nothing of one is another's."""
        return f"period-{self.id}" if self.id else self.slug

    def holds(self, at: datetime) -> bool:
        """Whether what is done at this moment belongs to it."""
        return (self.starts_at is None or self.starts_at <= at) and (self.ends_at is None or at < self.ends_at)


GLOBAL = Board("global", "All players")


def rule_slug(slug: str) -> str:
    """Of the rule of this board: "region" of "region.eu"."""
    return slug.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Keys:
    """A board's keys. All share the hash tag, so that a board lives on one Redis Cluster slot."""

    rank: str  # ZSET  total by member (see ranking/members.py)
    player: str  # HASH  user id → "<version>:<member>", the member empty for one who is not shown
    profile: str  # HASH  user id → JSON {"username", "avatar"}
    meta: str  # HASH  epoch, seq, updated, swept, swept_at, run, building; how many are known, shown, scores
    lock: str  # STRING the holder of the rebuild lock
    compared: str  # STRING what the last reconcile found, as JSON
    better: str | None = None  # where equals share a rank: `rank`, or ZSET of the distinct totals, to count the better

    def all(self) -> list[str]:
        """The keys of the board's content, in the order every script takes them."""
        return [self.rank, self.player, self.profile, self.meta, *([self.better] if self.better else [])]


def keys(board: Board) -> Keys:
    base = f"{settings.REDIS_KEY_PREFIX}lb:{{{board.name}}}:"
    counted = BETTER.get(board.ties)
    own = f"{base}rank", f"{base}player", f"{base}profile", f"{base}meta", f"{base}lock", f"{base}compared"
    return Keys(*own, f"{base}{counted}" if counted else None)


def group(board: Board) -> str:
    """The channel-layer group of the live processes that show this board."""
    return f"board.{board.name}"


def channel(board: Board) -> str:
    """The Pub/Sub channel of that group, as the layer of `CHANNEL_LAYERS` names it: scripts publish there."""
    return f"{settings.REDIS_KEY_PREFIX}channels__group__{group(board)}"
