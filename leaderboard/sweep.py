"""The sweep: every 10 s it projects again what changed since its last visit, so that what a crash between commit and
Redis left behind (a score, a hide, a rename) is on the board within seconds.

Its watermark is a transaction number, kept in Redis beside the board it speaks of: a Redis that comes back from an
old snapshot brings the old watermark with it, and the sweep repeats exactly what the snapshot lacks.
"""

import time
from dataclasses import dataclass

import structlog

from leaderboard import ranking, rebuild, reconcile
from leaderboard.boards import Board
from scoreboard import changes

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """`seen`: standings looked at; `healed`: those Redis did not have yet; `rebuilt`: the whole board was lost."""

    seen: int = 0
    healed: int = 0
    rebuilt: bool = False


def sweep(board: Board) -> Swept:
    """Projects all that changed since the last sweep.

    Raises ranking.Unavailable when Redis is away, and reconcile.Busy when everything must be compared and another
    process is at it; the mark then stays where it is, and the next sweep comes back to it.
    """
    if renewed := ranking.adopt(board):
        log.info("epoch_renewed", board=board.slug, epoch=renewed)
    epoch = ranking.epoch(board)
    if epoch is None:
        return Swept(rebuilt=rebuild.rebuild(board))
    [swept] = ranking.meta(board, "swept")
    at, now = time.time(), changes.now()
    since = now.since(swept)
    if since is None:
        # Another database than the one this board was made from: a restored backup, say. Compare everything.
        report = reconcile.reconcile(board)
        result = Swept(report.compared, report.repaired, report.lost)
    else:
        result = project_changes(board, since)
    ranking.mark_swept(board, epoch, str(now), at)
    if result.healed:
        log.info("sweep_healed", board=board.slug, healed=result.healed, seen=result.seen)
    return result


def project_changes(board: Board, since: int) -> Swept:
    seen = healed = 0
    try:
        for standings in changes.standings(since):
            seen += len(standings)
            healed += sum(ranking.write(board, standings).applied)
    except ranking.Lost:
        return Swept(seen, healed, rebuilt=rebuild.rebuild(board))
    return Swept(seen, healed)
