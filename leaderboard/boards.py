"""Which boards exist, and the names of their keys in Redis."""

from dataclasses import dataclass

from django.conf import settings

from api.problems import Problem
from scoreboard.standing import Standing

VISIBLE_TOP = 100  # ranks a page can show; a change inside raises seq and is announced, one below is not


@dataclass(frozen=True, slots=True)
class Board:
    """One ranking. Which players are on it is `shows`; later boards (regional, weekly) are further instances."""

    slug: str
    title: str

    def shows(self, standing: Standing) -> bool:
        """Whether this player has a rank here: visible, and with points to show."""
        return standing.visible and standing.total > 0


@dataclass(frozen=True, slots=True)
class Keys:
    """A board's keys. All share the hash tag, so that a board lives on one Redis Cluster slot."""

    rank: str  # ZSET  total by member (see ranking/members.py)
    player: str  # HASH  user id → "<version>:<member>", the member empty for one who is not shown
    profile: str  # HASH  user id → JSON {"username", "avatar"}
    meta: str  # HASH  epoch, seq, updated, known and shown (sizes of the other keys), swept, swept_at, run, building
    lock: str  # STRING the holder of the rebuild lock
    compared: str  # STRING what the last reconcile found, as JSON

    def all(self) -> list[str]:
        """The four keys of the board's content, in the order every script takes them."""
        return [self.rank, self.player, self.profile, self.meta]


BOARDS = {"global": Board("global", "All players")}


def get(slug: str) -> Board:
    """The board with this slug; raises Problem not-found."""
    try:
        return BOARDS[slug]
    except KeyError:
        raise Problem("not-found", "There is no such board.") from None


def keys(board: Board) -> Keys:
    base = f"{settings.REDIS_KEY_PREFIX}lb:{{{board.slug}}}:"
    return Keys(f"{base}rank", f"{base}player", f"{base}profile", f"{base}meta", f"{base}lock", f"{base}compared")


def group(board: Board) -> str:
    """The channel-layer group of the live processes that show this board."""
    return f"board.{board.slug}"


def channel(board: Board) -> str:
    """The Pub/Sub channel of that group, as the layer of `CHANNEL_LAYERS` names it: scripts publish there."""
    return f"{settings.REDIS_KEY_PREFIX}channels__group__{group(board)}"
