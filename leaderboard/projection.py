"""Projection: what the write side announces, applied to every board. Late, repeated and reordered news do no harm."""

import uuid
from collections.abc import Sequence
from functools import partial

import structlog

from leaderboard import boards, rebuild
from leaderboard.ranking import Lost, Unavailable, Written, write
from scoreboard.signals import Placement, Standing

log = structlog.get_logger(__name__)

PRIMARY = "global"  # the board whose rank an answer carries


def project(standings: Sequence[Standing]) -> dict[uuid.UUID, Placement]:
    """Writes the standings to every board; returns each player's place on the primary one.

    Raises Unavailable when Redis is away; the sweep repeats the call later. A lost board is rebuilt in
    the background, from SQL, which already has what was to be projected here.
    """
    placements: dict[uuid.UUID, Placement] = {}
    for board in boards.BOARDS.values():
        try:
            written = write(board, standings)
        except Lost:
            rebuild.in_background(board)
            continue
        if board.slug == PRIMARY and written.epoch:
            placements = placed(standings, written)
    return placements


def placed(standings: Sequence[Standing], written: Written) -> dict[uuid.UUID, Placement]:
    place = partial(Placement, epoch=written.epoch, seq=written.seq)
    return {s.user_id: place(rank) for s, rank in zip(standings, written.ranks, strict=True)}


__all__ = ["Unavailable", "project"]
