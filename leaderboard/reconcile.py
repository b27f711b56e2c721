"""Reconciliation: compares history, totals, standings and Redis, player by player; makes the latter two true.

It runs beside live traffic. What looks wrong is looked at again before it is called drift: between a commit and its
projection every player is briefly "stale". Repairs are compare-and-set on the entry that was judged, so a
concurrent write is never overwritten; then SQL is read once more, and if it moved on, that is projected too.

Everything streams: however many players there are, a few thousand are in memory, and of those whose standing is wrong
the ids.
"""

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import structlog
from django.db import connection, transaction

from api.fields import UUID_TEXT
from leaderboard import ranking, rebuild, reconcile_lock, truth
from leaderboard.boards import Board
from leaderboard.drift import Report, remember, verdict
from leaderboard.metrics import DRIFT
from leaderboard.ranking import inspection
from leaderboard.ranking.inspection import Entry
from leaderboard.reconcile_lock import Busy
from scoreboard import changes, periods
from scoreboard.standing import Standing

log = structlog.get_logger(__name__)

SETTLE_SECONDS = 0.5  # longer than any projection in flight takes
WAITING = 20_000  # suspects that may wait for their second look; so many are found in about SETTLE_SECONDS

# Sums are numeric: no history overflows them.
LEDGER = """
SELECT coalesce(s.user_id, h.user_id)
  FROM user_scores s
  FULL JOIN (SELECT user_id, sum(delta) AS total FROM score_history GROUP BY user_id) h ON h.user_id = s.user_id
 WHERE coalesce(s.total, 0) <> coalesce(h.total, 0)
"""


Doubts = dict[str, int | None]  # players who looked wrong at first sight, with the version SQL had


class Over(Exception):
    """The period was closed meanwhile, or its rule changed: its standings are gone from SQL, and that is no drift."""


def reconcile(
    board: Board,
    *,
    check: bool = False,
    progress: Callable[[int], None] = lambda compared: None,
    patience: float = 0.0,
) -> Report:
    """Compares everything; repairs Redis unless `check`. `progress` is called with the number of players just compared.

    A lost board that another process is rebuilding is waited for up to `patience` seconds. A period that is closed
    meanwhile, or whose rule is changed, is compared no further.

    Raises Busy when another reconcile of the board is running, ranking.Unavailable when Redis is away.
    """
    report = Report(board.slug, board.period)
    with reconcile_lock.held(board):
        judge_sql(board, report, check)
        try:
            demand(board)
            with ranking.retrying():
                for doubts in after_a_pause(first_look(board, report, progress)):
                    second_look(board, doubts, report, check)
                for stray in inspection.strays(board, remove=not check):
                    report.add("extra", f"score {stray}")
                    report.repaired += not check
            demand(board)  # it may have been lost meanwhile
        except Over:
            log.info("reconcile_overtaken", board=board.slug, period=board.period)
        except ranking.Lost:
            report.lost = still_open(board)
            report.rebuilt = report.lost and not check and rebuild.rebuild_or_wait(board, patience)
    tell(board, report)
    return report


def judge_sql(board: Board, report: Report, check: bool) -> None:
    """What SQL has beside the history: totals, on the board of all players, or the standings in another's period."""
    if not board.id:
        for mismatch in ledger_mismatches():
            report.add("ledger", mismatch)
        return
    wrong = periods.wrong_standings(board.id)
    for user in wrong:
        report.add("standing", str(user))
    if not check:
        periods.mend(board.id, wrong)
        report.repaired += len(wrong)


def tell(board: Board, report: Report) -> None:
    """Logs, counts and keeps what was found."""
    remember(board, report)
    log.info("reconciled", board=report.board, compared=report.compared, repaired=report.repaired, **report.found)
    for kind, number in report.found.items():
        DRIFT.labels(kind).inc(number)
    DRIFT.labels("lost").inc(report.lost)
    if report.found["ledger"]:
        log.error("ledger_mismatch", players=report.found["ledger"], named=report.players["ledger"])


def demand(board: Board) -> None:
    """Raises ranking.Lost unless the board is there."""
    if ranking.epoch(board) is None:
        raise ranking.Lost(board.slug)


def still_open(board: Board) -> bool:
    """Whether SQL has the board's standings."""
    return not board.id or bool(periods.still_open([board.id]))


def ledger_mismatches() -> Iterator[str]:
    """Players whose total is not the sum of their history, in one snapshot."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # A killed reconcile must not hold its lock until a long history has been summed up.
            cursor.execute("SET LOCAL client_connection_check_interval = '1s'")
        for rows in changes.stream(LEDGER, []):
            yield from (str(user_id) for (user_id,) in rows)


def first_look(board: Board, report: Report, progress: Callable[[int], None]) -> Iterator[Doubts]:
    """All players of SQL, all of Redis, and all written meanwhile."""
    beginning = changes.snapshot()
    for standings in truth.everyone(board):
        yield disagreeing(board, standings)
        report.compared += len(standings)
        progress(len(standings))
    for ids in inspection.player_ids(board):
        yield dict.fromkeys(set(ids).difference(truth.known(board, uuids(ids))))
    # Players new in SQL since their page was read: after a restored backup they may have got the very version under
    # which Redis holds another score, so that their projection lost.
    for standings in changes.standings_unseen_by(beginning):
        yield clashing(board, standings)


def disagreeing(board: Board, standings: list[Standing]) -> Doubts:
    """Of these players, those whose entry in Redis is not exactly what SQL had; and the version SQL had."""
    ids = [str(standing.user_id) for standing in standings]
    pairs = zip(standings, inspection.entries(board, ids), strict=True)
    return {str(s.user_id): s.version for s, entry in pairs if verdict(board, s.version, s, entry)}


def clashing(board: Board, standings: list[Standing]) -> Doubts:
    """Of these players, those of whom Redis holds something else under the same version."""
    if board.id:
        standings = [s.at(place) for s in standings for place in s.places if place.period == board.id]
    pairs = zip(standings, inspection.entries(board, [str(s.user_id) for s in standings]), strict=True)
    return {
        str(s.user_id): s.version
        for s, entry in pairs
        if entry.version == s.version and inspection.differs(board, s, entry)
    }


def after_a_pause(found: Iterable[Doubts]) -> Iterator[Doubts]:
    """The same, in the same order, each SETTLE_SECONDS after it was found. The search goes on meanwhile, but not
    further ahead than WAITING suspects."""
    waiting: deque[tuple[float, Doubts]] = deque()
    suspects = 0
    for doubts in found:
        if doubts:
            waiting.append((time.monotonic() + SETTLE_SECONDS, doubts))
            suspects += len(doubts)
        while waiting and (suspects > WAITING or waiting[0][0] <= time.monotonic()):
            suspects -= len(waiting[0][1])
            yield ripe(*waiting.popleft())
    while waiting:
        yield ripe(*waiting.popleft())


def ripe(due: float, doubts: Doubts) -> Doubts:
    time.sleep(max(0.0, due - time.monotonic()))
    return doubts


def second_look(board: Board, doubts: Doubts, report: Report, check: bool) -> None:
    """Judges suspects again, reports what still disagrees and repairs it. Raises Over."""
    ids = list(doubts)
    seen = inspection.entries(board, ids)
    now = {str(standing.user_id): standing for standing in truth.some(board, uuids(ids))}
    if len(now) < len(ids) and not still_open(board):
        raise Over
    wrong: dict[str, Entry] = {}
    for user_id, entry in zip(ids, seen, strict=True):
        if kind := verdict(board, doubts[user_id], now.get(user_id), entry):
            report.add(kind, user_id)
            wrong[user_id] = entry
    if not check:
        repair(board, [(now[user_id], entry) for user_id, entry in wrong.items() if user_id in now])
        inspection.forget(board, {user_id: entry for user_id, entry in wrong.items() if user_id not in now})
        report.repaired += len(wrong)


def repair(board: Board, wrong: list[tuple[Standing, Entry]]) -> None:
    """Puts SQL's standings in place of the entries that were judged, unless newer writes have replaced those."""
    if not wrong:
        return
    applied = inspection.replace(board, wrong)
    put = {s.user_id: s.version for (s, _), done in zip(wrong, applied, strict=True) if done}
    # A write that came between our reading SQL and the compare-and-set lost against the old entry: let it win now.
    behind = [s for s in truth.some(board, [s.user_id for s, _ in wrong]) if put.get(s.user_id) != s.version]
    for few in ranking.slices(behind):
        ranking.write(board, few)


def uuids(ids: Iterable[str]) -> list[uuid.UUID]:
    """Those of `ids` that are UUIDs; anything may have been written into Redis by hand."""
    return [uuid.UUID(user_id) for user_id in ids if UUID_TEXT.fullmatch(user_id)]


__all__ = ["Busy", "Report", "ledger_mismatches", "reconcile"]
