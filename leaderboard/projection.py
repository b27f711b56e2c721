"""Projection: what the write side announces, applied to every board. Late, repeated and reordered news do no harm."""

import uuid
from collections.abc import Sequence
from functools import partial

from leaderboard import boards, catch_up, notifications, rebuild
from leaderboard.ranking import Lost, Written, write
from scoreboard.standing import Placement, Standing

PRIMARY = "global"  # the board whose rank an answer carries
MAX_NOTIFIED = 100  # players of one change; the others see theirs within the second in which own lines are read anyway


def project(standings: Sequence[Standing], notify: bool = False) -> dict[uuid.UUID, Placement]:
    """The ledger's projector. Writes the standings to every board; returns each player's place on the primary one.

    `notify`: the players' own open pages are told, too. Raises Unavailable when Redis is away; the sweep repeats the
    call later. A lost board is rebuilt in the background, from SQL, which already has what was to be projected here.
    """
    placements: dict[uuid.UUID, Placement] = {}
    for board in boards.BOARDS.values():
        try:
            written = write(board, standings)
        except Lost:
            rebuild.in_background(board)
            continue
        # A rank on a board that lacks the scores of others would be better than it is.
        if catch_up.caught_up(board) and board.slug == PRIMARY and written.epoch:
            placements = placed(standings, written)
    for standing in standings[: MAX_NOTIFIED if notify else 0]:
        notifications.standing_changed(standing.user_id)
    return placements


def placed(standings: Sequence[Standing], written: Written) -> dict[uuid.UUID, Placement]:
    place = partial(Placement, epoch=written.epoch, seq=written.seq)
    return {s.user_id: place(rank) for s, rank in zip(standings, written.ranks, strict=True)}
