"""The sweep: every 10 s it projects again what changed since its last visit, so that what a crash between commit and
Redis left behind (a score, a hide, a rename) is on the boards within seconds.

Its watermark is a transaction number, kept in Redis beside the board it speaks of: a Redis that comes back from an
old snapshot brings the old watermark with it, and the sweep repeats exactly what the snapshot lacks. However many
boards there are, SQL is read once, from the oldest of their marks.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from leaderboard import boards, ranking, rebuild, reconcile
from leaderboard.boards import Board
from leaderboard.ranking import Lost
from leaderboard.reconcile_lock import Busy
from scoreboard import changes

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Swept:
    """`seen`: standings looked at; `healed`: those Redis did not have yet; `rebuilt`: the whole board was lost.

    `lost`: it still is, because another process is rebuilding it.
    """

    seen: int = 0
    healed: int = 0
    rebuilt: bool = False
    lost: bool = False


def sweep(board: Board) -> Swept:
    """Projects all that changed since the last sweep of this board.

    Raises ranking.Unavailable when Redis is away, and reconcile.Busy when everything must be compared and another
    process is at it; the mark then stays where it is, and the next sweep comes back to it.
    """
    [swept] = sweep_all([board])
    if isinstance(swept, Busy):
        raise swept
    return swept


def sweep_all(asked: Sequence[Board]) -> list[Swept | Busy]:
    """The same of several; of one that another process compares with everything, that it is busy."""
    run = ranking.run_id()
    at, now = time.time(), changes.now()
    found: dict[Board, Swept | Busy] = {}
    since: dict[Board, int] = {}
    epochs: dict[Board, str] = {}
    for board, surveyed in zip(asked, ranking.survey(asked), strict=True):
        if isinstance(surveyed, Lost):
            found[board] = rebuilt(board, Swept())
            continue
        epochs[board] = surveyed.epoch
        if surveyed.run != run and (renewed := ranking.adopt(board)):
            epochs[board] = renewed
            log.info("epoch_renewed", board=board.slug, epoch=renewed)
        mark = now.since(surveyed.swept)
        if mark is None:
            found[board] = compare(board)
        else:
            # Of a period that has not begun nothing can be missing, however long ago a reader had it built.
            ahead = board.starts_at is not None and now.at < board.starts_at
            since[board] = now.oldest if ahead else mark
    found |= project_changes(since)
    for board in epochs:
        swept = found[board]
        if isinstance(swept, Busy):
            continue
        if not swept.rebuilt:
            ranking.mark_swept(board, epochs[board], str(now), at)
        if swept.healed:
            log.info("sweep_healed", board=board.slug, healed=swept.healed, seen=swept.seen)
    return [found[board] for board in asked]


def compare(board: Board) -> Swept | Busy:
    """Another database than the one this board was made from: a restored backup, say. Everything is compared."""
    try:
        report = reconcile.reconcile(board)
    except Busy as busy:
        return busy
    return Swept(report.compared, report.repaired, report.rebuilt, report.lost and not report.rebuilt)


def rebuilt(board: Board, swept: Swept) -> Swept:
    """Of a board that is lost: it is there again, or another process is at it."""
    swept.rebuilt |= rebuild.rebuild(board)
    swept.lost = not swept.rebuilt
    return swept


def project_changes(since: dict[Board, int]) -> dict[Board, Swept]:
    """Writes to these boards what transactions from their marks on have raised. Repeating a little does no harm."""
    found = {board: Swept() for board in since}
    for standings in changes.standings(min(since.values())) if since else ():
        changed = {board: some for board, some in boards.of_standings(standings).items() if board in found}
        for board, written in zip(changed, ranking.write_all(changed), strict=True):
            swept = found[board]
            if isinstance(written, Lost):
                rebuilt(board, swept)
                continue
            swept.seen += len(changed[board])
            swept.healed += sum(written.applied)
    return found
