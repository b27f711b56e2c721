"""Projection: what the write side announces, applied to its boards. Late, repeated and reordered news do no harm."""

import uuid
from collections.abc import Sequence
from functools import partial

from leaderboard import boards, catch_up, notifications, rebuild
from leaderboard.ranking import Lost, Written, write_all
from scoreboard.standing import Placement, Standing

MAX_NOTIFIED = 100  # players of one change; the others see theirs within the second in which own lines are read anyway


def project(standings: Sequence[Standing], notify: bool = False) -> dict[uuid.UUID, Placement]:
    """The ledger's projector. Writes the standings to their boards in one round trip, returns each player's place on
    the one whose rank an answer carries, `global`.

    `notify`: the players' own open pages are told, too. Raises Unavailable when Redis is away; the sweep repeats the
    call later. A lost board is rebuilt in the background, from SQL, which already has what was to be projected here.
    """
    changed = boards.of_standings(standings)
    placements: dict[uuid.UUID, Placement] = {}
    for board, written in zip(changed, write_all(changed), strict=True):
        if isinstance(written, Lost):
            rebuild.in_background(board)
        # A rank on a board that lacks the scores of others would be better than it is.
        elif board is boards.GLOBAL and written.epoch and catch_up.caught_up():
            placements = placed(standings, written)
    for standing in standings[: MAX_NOTIFIED if notify else 0]:
        notifications.standing_changed(standing.user_id)
    return placements


def placed(standings: Sequence[Standing], written: Written) -> dict[uuid.UUID, Placement]:
    place = partial(Placement, epoch=written.epoch, seq=written.seq)
    return {s.user_id: place(rank) for s, rank in zip(standings, written.ranks, strict=True)}
