"""The ledger: every score enters at `record` and is told to the read side by `announce`.

`record` is one statement; callers that do more in the same transaction (redemption claims its tokens) call the SQL
function `ledger_record` inside their own. Either way: SQL commits first, then, and only then, `announce`.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

import structlog
from django.db import connection, transaction

from api import tracing
from api.problems import Problem
from api.request_ids import current_request_id
from api.timing import named
from scoreboard.metrics import PROJECTION_FAILURES, SCORE_INCREMENT_FAILURES, SCORE_INCREMENTS
from scoreboard.models import MAX_TOTAL, ScoreHistory
from scoreboard.standing import (
    COLUMNS,
    NESTED_COLUMNS,
    PLACES,
    ReadSideAway,
    Standing,
    standing_of,
    standing_or_none,
)

log = structlog.get_logger(__name__)

RECORD = named(
    "ledger",
    f"""
SELECT o.outcome, o.user_id, o.action_id, o.delta, o.old_total, o.new_total, o.created_at, {NESTED_COLUMNS}
  FROM ledger_record(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::bigint[],
                     %s::uuid[], %s::text[], %s::text[], NULL, %s::bigint[], %s::bigint[], %s::bigint[],
                     %s::jsonb[]) o
 ORDER BY o.ord
""",  # noqa: S608
)
STANDINGS = f"SELECT {COLUMNS}, {PLACES} FROM player_standings WHERE user_id = ANY (%s)"  # noqa: S608

# Tells the read side how these players stand and returns their ranks. The flag: see `announce`.
Projector = Callable[[Sequence[Standing], bool], Mapping[uuid.UUID, int | None]]
_projector: Projector | None = None


def set_projector(projector: Projector | None) -> None:
    """Called once by the read side, when it is ready. Without a projector ranks are unknown."""
    global _projector
    _projector = projector


@dataclass(frozen=True, slots=True)
class Entry:
    """One change asked for: `delta` points, or a new total `target` (then `delta` is ignored).

    `action_id` makes it idempotent: the same (user, action) is recorded once, for ever.
    """

    user_id: uuid.UUID
    action_id: uuid.UUID
    source: ScoreHistory.Source
    delta: int = 0
    target: int | None = None
    action_type: str = ""
    actor_id: uuid.UUID | None = None
    reason: str = ""
    reverses: int | None = None  # the entry of the history that this one takes back
    metadata: dict[str, Any] | None = None  # what describes the deed
    value: int | None = None  # of a measure, and of what takes one back: then `delta` is 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one entry.

    `outcome`: recorded, duplicate, unchanged, score-out-of-range, unknown-user, or staff, whose totals never rise.
    `delta`, `old_total`, `new_total` and `created_at` are those of the history row: this entry's if recorded, the first
    one's if duplicate, else None.
    `standing` is the player's after this entry and those of the call before it; None for an unknown user.
    """

    outcome: str
    user_id: uuid.UUID
    action_id: uuid.UUID
    delta: int | None
    old_total: int | None
    new_total: int | None
    created_at: datetime | None
    standing: Standing | None


def record(entries: Sequence[Entry], boards: Sequence[int] | None = None) -> list[Outcome]:
    """Judges each entry alone and writes the accepted ones, in one statement; outcomes come in the order of `entries`.

    `boards`: those that each of them names, see named_boards.py.
    Raises OperationalError when PostgreSQL is away; then nothing was written, or, if the connection broke while
    committing, a repeat with the same action ids tells.
    """
    described = [None if e.metadata is None else json.dumps(e.metadata) for e in entries]
    columns: list[Any] = [
        [e.user_id for e in entries],
        [e.action_id for e in entries],
        [e.source.value for e in entries],
        [e.action_type for e in entries],
        [e.delta for e in entries],
        if_any([e.target for e in entries]),
        [e.actor_id for e in entries],
        [e.reason for e in entries],
        [current_request_id()] * len(entries),
        if_any([e.reverses for e in entries]),
        None if boards is None else list(boards),
        if_any([e.value for e in entries]),
        if_any(described),
    ]
    with connection.cursor() as cursor:
        cursor.execute(RECORD, columns)
        outcomes = [outcome_from_row(row) for row in cursor.fetchall()]
    count(outcomes, [entry.source for entry in entries])
    return outcomes


def if_any(column: list[Any]) -> list[Any] | None:
    """The column, or None for one in which no entry has anything: SQL then leaves out what is done for it."""
    return column if any(value is not None for value in column) else None


def outcome_from_row(row: Sequence[Any]) -> Outcome:
    outcome, user_id, action_id, delta, old_total, new_total, created_at, *standing = row
    return Outcome(outcome, user_id, action_id, delta, old_total, new_total, created_at, standing_or_none(standing))


REFUSALS = {
    "staff": ("forbidden", "Moderators and admins earn no points: the total of a staff account never rises."),
    "score-out-of-range": ("score-out-of-range", f"The total would leave 0 to {MAX_TOTAL}."),
}


def refusal(outcome: str) -> Problem:
    """What a caller is told of an outcome that counts for nothing."""
    return Problem(*REFUSALS.get(outcome, ("forbidden", f"The ledger refused it: {outcome}.")))


def count(outcomes: Iterable[Outcome], sources: Iterable[str]) -> None:
    """What is recorded, once it is committed; what is refused, now: it may be why nothing is."""
    for outcome, source in zip(outcomes, sources, strict=True):
        if outcome.outcome == "recorded":
            transaction.on_commit(SCORE_INCREMENTS.labels(source).inc)
        else:
            SCORE_INCREMENT_FAILURES.labels(outcome.outcome).inc()


def standings(user_ids: Sequence[uuid.UUID]) -> list[Standing]:
    """The committed standing of each of these players that has one."""
    with connection.cursor() as cursor:
        cursor.execute(STANDINGS, [list(user_ids)])
        return [standing_of(row) for row in cursor.fetchall()]


def announce(changed: Iterable[Standing | None], *, notify: bool = False) -> Mapping[uuid.UUID, int | None]:
    """Tells the read side, after commit, and returns the rank of each player, from 1; None of one it does not show.

    `notify`: have the players' own open pages told too, wherever they stand. For what is rare, from admin and Celery.

    A projector that fails is logged and counted, never raised: the score stands, its rank is unknown, and the
    sweep repairs the board. Inside an outer transaction the telling waits for the commit and nothing is returned.
    """
    newest: dict[uuid.UUID, Standing] = {}
    for standing in changed:
        if standing:
            newest[standing.user_id] = merged(standing, newest.get(standing.user_id, standing))
    if not newest:
        return {}
    if connection.in_atomic_block:
        transaction.on_commit(lambda: project(list(newest.values()), notify))
        return {}
    return project(list(newest.values()), notify)


def merged(one: Standing, other: Standing) -> Standing:
    """Of two standings of a player the newer, with the newest of the places that both tell of."""
    older, newer = sorted((other, one), key=attrgetter("version"))
    if older.places == newer.places:
        return newer
    places = {place.period: place for place in (*older.places, *newer.places)}
    return replace(newer, places=tuple(places.values()))


def project(changed: list[Standing], notify: bool) -> Mapping[uuid.UUID, int | None]:
    if _projector is None:
        return {}
    try:
        with tracing.span("project", players=len(changed)):
            return _projector(changed, notify)
    except ReadSideAway as error:
        log.warning("projection_failed", players=len(changed), error=str(error))
    except Exception:
        log.exception("projection_failed", players=len(changed))
    PROJECTION_FAILURES.inc(len(changed))
    return {}


def announce_players(user_ids: Sequence[uuid.UUID]) -> None:
    """Announces players whose profile or visibility was changed (hide, rename, avatar) by the caller."""
    if connection.in_atomic_block:
        # Read after the commit, not now: what is announced must be what was committed.
        transaction.on_commit(lambda: announce(standings(user_ids), notify=True))
    else:
        announce(standings(user_ids), notify=True)
