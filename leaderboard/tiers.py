"""Tiers: names for the best ranks of a board. Nothing is counted by them; each answer says them of its rows."""

import json
import zlib
from functools import lru_cache
from typing import NamedTuple


class Tier(NamedTuple):
    """The first `ranks` of a board, or the best `percent` of its players, rounded up; the other is None."""

    name: str
    ranks: int | None = None
    percent: int | None = None

    def width(self, players: int) -> int:
        return self.ranks if self.ranks is not None else -(-players * (self.percent or 0) // 100)


Tiers = tuple[Tier, ...]  # in the order in which they are tried


@lru_cache(maxsize=1024)
def read(column: str) -> Tiers:
    """From the JSON of `Board.tiers`."""
    return tuple(Tier(**tier) for tier in json.loads(column))


def name(tiers: Tiers, rank: int | None, players: int) -> str | None:
    """Of the first tier that the rank is within; None for a player who has none."""
    return next((tier.name for tier in tiers if rank is not None and rank <= tier.width(players)), None)


def shown(tiers: Tiers, rank: int | None, players: int) -> dict[str, str | None]:
    """What an answer says of a player's tier: nothing on a board without tiers."""
    return {"tier": name(tiers, rank, players)} if tiers else {}


@lru_cache(maxsize=1024)
def tag(tiers: Tiers, players: int) -> str:
    """For ETags: another for rows that may have other tiers, though they are the same."""
    if not tiers:
        return ""
    widths = [(tier.name, tier.width(players)) for tier in tiers]
    return f":{zlib.crc32(json.dumps(widths).encode()):08x}"
