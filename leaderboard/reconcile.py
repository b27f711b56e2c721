"""Reconciliation: compares history sums, totals and Redis, player by player, and makes Redis true again.

It runs beside live traffic. What looks wrong is looked at again before it is called drift: between a commit and its
projection every player is briefly "stale". Repairs are compare-and-set on the entry that was judged, so a
concurrent write is never overwritten; then SQL is read once more, and if it moved on, that is projected too.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import structlog
from django.db import connection, transaction

from api.fields import UUID_TEXT
from leaderboard import inspection, ranking, rebuild, truth
from leaderboard.boards import Board
from leaderboard.inspection import Entry
from scoreboard.signals import Standing

log = structlog.get_logger(__name__)

KINDS = ("missing", "stale", "ahead", "extra", "ledger")
SETTLE_SECONDS = 0.5  # longer than any projection in flight takes
NAMED = 100  # players listed by id in a report; the rest are counted

# Sums are numeric: no history overflows them.
LEDGER = """
SELECT coalesce(s.user_id, h.user_id)
  FROM user_scores s
  FULL JOIN (SELECT user_id, sum(delta) AS total FROM score_history GROUP BY user_id) h ON h.user_id = s.user_id
 WHERE coalesce(s.total, 0) <> coalesce(h.total, 0)
"""


@dataclass(slots=True)
class Report:
    """What was found, in players.

    `missing`: in SQL, not in Redis. `stale`: older or lower in Redis. `ahead`: newer or higher in Redis. `extra`: in
    Redis only. `ledger`: the total is not the sum of the history; never repaired automatically, because it means that
    somebody wrote to the tables past the ledger.
    """

    board: str
    compared: int = 0
    repaired: int = 0
    lost: bool = False
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    players: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def add(self, kind: str, user_id: str) -> None:
        self.found[kind] += 1
        if len(self.players[kind]) < NAMED:
            self.players[kind].append(user_id.encode("utf-8", "backslashreplace").decode())

    @property
    def drift(self) -> int:
        """Players on whom something disagrees; a lost board counts as one."""
        return sum(self.found.values()) + self.lost


def reconcile(board: Board, *, check: bool = False, progress: Callable[[int], None] = lambda compared: None) -> Report:
    """Compares everything; repairs Redis unless `check`. `progress` is called with the number of players just compared.

    Raises ranking.Unavailable when Redis is away.
    """
    report = Report(board.slug)
    for user_id in ledger_mismatches():
        report.add("ledger", user_id)
    try:
        if ranking.epoch(board) is None:
            raise ranking.Lost(board.slug)
        compare(board, report, check, progress)
    except ranking.Lost:
        report.lost = True
        if not check:
            rebuild.rebuild(board)
    log.info("reconciled", board=board.slug, compared=report.compared, repaired=report.repaired, **report.found)
    return report


def compare(board: Board, report: Report, check: bool, progress: Callable[[int], None]) -> None:
    """First look at everybody, a pause, second look at the suspects."""
    suspects: dict[str, Standing | None] = {}
    for standings in truth.everyone():
        suspects.update(disagreeing(board, standings))
        report.compared += len(standings)
        progress(len(standings))
    suspects.update(strangers(board))
    orphans = set(inspection.orphans(board))
    if suspects or orphans:
        time.sleep(SETTLE_SECONDS)
    for chunk in chunked(suspects):
        settle(board, {user_id: suspects[user_id] for user_id in chunk}, report, check)
    for member in orphans.intersection(inspection.orphans(board)) if orphans else ():
        report.add("extra", inspection.text(member[ranking.MEMBER_TIME_DIGITS :]))
        if not check:
            report.repaired += inspection.remove_orphan(board, member)


def ledger_mismatches() -> list[str]:
    """Players whose total is not the sum of their history, in one snapshot."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(LEDGER)
        return [str(user_id) for (user_id,) in cursor.fetchall()]


def disagreeing(board: Board, standings: list[Standing]) -> Iterator[tuple[str, Standing]]:
    """Of these players, those whose entry in Redis is not exactly what SQL had."""
    ids = [str(standing.user_id) for standing in standings]
    for standing, entry in zip(standings, inspection.entries(board, ids), strict=True):
        if verdict(board, standing, standing, entry):
            yield str(standing.user_id), standing


def strangers(board: Board) -> Iterator[tuple[str, None]]:
    """Players Redis has an entry of and SQL has not."""
    for chunk in chunked(inspection.player_ids(board)):
        real = {str(standing.user_id) for standing in truth.some(uuids(chunk))}
        yield from ((user_id, None) for user_id in chunk if user_id not in real)


def uuids(ids: Iterable[str]) -> list[uuid.UUID]:
    """Those of `ids` that are UUIDs; anything may have been written into Redis by hand."""
    return [uuid.UUID(user_id) for user_id in ids if UUID_TEXT.fullmatch(user_id)]


def verdict(board: Board, before: Standing | None, now: Standing | None, entry: Entry) -> str | None:
    """The kind of drift, or None.

    `before` is what SQL had long enough ago for its projection to have arrived; `now` was read after `entry`.
    An entry between the two is a projection in flight, not drift.
    """
    if now is None:
        return "extra" if entry.known is not None or entry.profile is not None else None
    if entry.version > now.version:
        return "ahead"
    if entry.version == now.version:
        return inspection.differs(board, now, entry)
    if before is None or entry.version >= before.version:
        return None
    if entry.known is None and not board.shows(now):
        return "extra" if entry.profile is not None else None
    if entry.known is None:
        return "missing"
    return "stale"


def settle(board: Board, suspects: dict[str, Standing | None], report: Report, check: bool) -> None:
    """Judges suspects a second time, reports what still disagrees and repairs it."""
    ids = list(suspects)
    seen = inspection.entries(board, ids)
    now = {str(standing.user_id): standing for standing in truth.some(uuids(ids))}
    for user_id, entry in zip(ids, seen, strict=True):
        kind = verdict(board, suspects[user_id], now.get(user_id), entry)
        if kind is None:
            continue
        report.add(kind, user_id)
        if not check:
            repair(board, user_id, now.get(user_id), entry)
            report.repaired += 1


def repair(board: Board, user_id: str, standing: Standing | None, entry: Entry) -> None:
    """Puts SQL's standing in place of the entry that was judged, unless a newer write has replaced that meanwhile."""
    if standing is None:
        inspection.forget(board, user_id, entry)
        return
    inspection.replace(board, standing, entry)
    # A write that came between our reading SQL and the compare-and-set lost against the old entry: let it win now.
    ranking.write(board, truth.some([standing.user_id]))


def chunked(ids: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for user_id in ids:
        chunk.append(user_id)
        if len(chunk) == truth.CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
