"""What it means that history, totals and Redis disagree on a player, and the report of all on whom they do."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from leaderboard import boards, ranking
from leaderboard.boards import Board
from leaderboard.ranking import inspection
from leaderboard.ranking.inspection import Entry
from scoreboard.standing import Standing

KINDS = ("missing", "stale", "ahead", "extra", "ledger", "standing")
KEPT_SECONDS = 30 * 86_400
NAMED = 100  # players listed by id in a report; the rest are counted


@dataclass(slots=True)
class Report:
    """What was found, in players.

    `missing`: in SQL, not in Redis. `stale`: older or lower in Redis. `ahead`: newer or higher in Redis. `extra`: in
    Redis only. `ledger`: the total is not the sum of the history; never repaired automatically, because it means that
    the tables were written past the ledger. `standing`: in a period of a board, SQL has another standing
    than the history gives. `rebuilt`: the lost board was made anew, by this reconcile or by
    another process meanwhile.
    """

    board: str
    period: str = "all"
    compared: int = 0
    repaired: int = 0
    lost: bool = False
    rebuilt: bool = False
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


def verdict(board: Board, before: int | None, now: Standing | None, entry: Entry) -> str | None:
    """The kind of drift, or None.

    `before` is the version SQL had long enough ago for its projection to have arrived; `now` was read after `entry`.
    An entry between the two is a projection in flight, not drift.
    """
    if now is None:
        return "extra" if entry.known is not None or entry.profile is not None else None
    if entry.version > now.version:
        return "ahead"
    if entry.version == now.version:
        return inspection.differs(board, now, entry)
    if before is None or entry.version >= before:
        return None
    if entry.known is None and not board.shows(now):
        return "extra" if entry.profile is not None else None
    if entry.known is None:
        return "missing"
    # What raised the version since then may have been on another board, but each of them is on that of all totals.
    return "stale" if board.id == 0 or inspection.differs(board, now, entry) else None


@dataclass(frozen=True, slots=True)
class Compared:
    """When a board was last compared with SQL, over how many players, and on how many of them they disagreed."""

    at: datetime
    compared: int
    drift: int


def remember(board: Board, report: Report) -> None:
    """For `last`. Beside the board, in Redis: when that is lost, so is what was compared."""
    value = json.dumps({"at": time.time(), "compared": report.compared, "drift": report.drift})
    with suppress(ranking.Unavailable):
        ranking.command("set", boards.keys(board).compared, value, ex=KEPT_SECONDS)


def last(board: Board) -> Compared | None:
    """None when no comparison is remembered. Raises ranking.Unavailable."""
    raw = ranking.command("get", boards.keys(board).compared)
    try:
        known = json.loads(raw or "null")
        return Compared(datetime.fromtimestamp(known["at"], UTC), int(known["compared"]), int(known["drift"]))
    except (ValueError, TypeError, LookupError, OverflowError, OSError):
        return None
