"""Projection: what the write side announces, applied to its boards. Late, repeated and reordered news do no harm."""

import uuid
from collections.abc import Sequence

from leaderboard import boards, catch_up, notifications, rebuild
from leaderboard.ranking import Lost, write_all
from scoreboard.standing import Standing

MAX_NOTIFIED = 100  # players of one change; the others see theirs within the second in which own lines are read anyway


def project(standings: Sequence[Standing], notify: bool = False) -> dict[uuid.UUID, int | None]:
    """The ledger's projector. Writes the standings to their boards in one round trip, returns each player's rank on
    the one whose rank an answer carries, `global`.

    `notify`: the players' own open pages are told, too. Raises Unavailable when Redis is away; the sweep repeats the
    call later. A lost board is rebuilt in the background, from SQL, which already has what was to be projected here.
    """
    changed = boards.of_standings(standings)
    ranks: dict[uuid.UUID, int | None] = {}
    for board, written in zip(changed, write_all(changed), strict=True):
        if isinstance(written, Lost):
            rebuild.in_background(board)
        # A rank on a board that lacks the scores of others would be better than it is.
        elif board is boards.GLOBAL and written.epoch and catch_up.caught_up():
            ranks = {s.user_id: rank for s, rank in zip(standings, written.ranks, strict=True)}
    if notify:
        notifications.standings_changed([standing.user_id for standing in standings[:MAX_NOTIFIED]])
    return ranks
