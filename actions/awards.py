"""Awards: a trusted back end's word that its player has done it, recorded once for the back end's own id of the deed.

One statement (sql/awards.sql) judges and records one award or a thousand; then the board is told, as of every score.
"""

import json
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import connection
from rest_framework.exceptions import ValidationError

from accounts import players
from accounts.models import ApiKey
from accounts.players import Description, Reference
from actions.batcher import Batcher, Contended
from actions.judged import Judged, announce
from actions.metrics import AWARDS, key_names
from actions.models import Award
from api.problems import Problem
from api.timing import named
from scoreboard import ledger
from scoreboard.metrics import SCORE_INCREMENTS
from scoreboard.models import ScoreHistory
from scoreboard.standing import NESTED_COLUMNS, standing_or_none

MAX_AWARDS = 1000  # of one call

RECORD = named(
    "award",
    f"""
SELECT o.outcome, o.user_id, o.action_type, o.delta, o.value, o.new_total, o.created_at, {NESTED_COLUMNS}
  FROM award_record(%s::text[], %s::boolean[], %s::uuid[], %s::text[],
                    %s::text[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::uuid[], %s::text[],
                    %s::text[], %s::bigint[], %s::bigint[], %s::jsonb[], %s::timestamptz[],
                    %s::text[], %s::text[], %s::text[], %s::jsonb[], %s) o
 ORDER BY o.ord
""",  # noqa: S608
)

WRONG = {  # field and sentence
    "points-out-of-bounds": ("points", "Outside the bounds of this action type."),
    "points-of-measure": ("points", "This action type is a measure, which gives no points: send `value`."),
    "value-missing": ("value", "This action type is a measure: send the value that was measured."),
    "value-of-points": ("value", "This action type is no measure: it gives points."),
    "value-out-of-bounds": ("value", "Outside the bounds of this action type."),
}
REFUSALS = {
    "unknown-type": ("not-found", "There is no such action type."),
    "type-not-of-key": ("forbidden", "This API key may not grant this action type."),
    "not-yours-to-grant": ("not-yours-to-grant", "This action type is granted by a separate signer alone."),
    "unknown-user": ("not-found", "There is no such player."),
    "player-disabled": ("player-disabled", "The player is disabled or banned here."),
}


def refusal_of(outcome: str, user_id: uuid.UUID | None) -> Problem:
    """What a caller is told of an outcome that counts for nothing; `user_id`: the player's."""
    refusal = Problem(*REFUSALS[outcome]) if outcome in REFUSALS else ledger.refusal(outcome)
    refusal.subject = user_id
    return refusal


@dataclass(slots=True, eq=False, kw_only=True)
class Entry(Judged):
    """One award. The player is `player`, the site's own id, or `user`, ours or `ext:…`; exactly one of them.

    `record` says by which key it came; then `judged` fills in what became of it, and `commit` the rank.
    """

    id: str = ""
    player: str | None = None
    user: uuid.UUID | Reference | None = None
    points: int | None = None
    value: int | None = None
    metadata: dict[str, Any] | None = None
    occurred_at: datetime | None = None
    description: Description = field(default_factory=Description)
    wrong: ValidationError | None = None  # with what it says of the player: refused, unless it is a repeat
    key: ApiKey | None = None
    replayed: bool = False
    user_id: uuid.UUID | None = None
    measured: int | None = None

    def columns(self) -> tuple[Any, ...]:
        """As award_record takes it."""
        if self.key is None:
            raise AssertionError("an award comes by a key")
        provider = self.key.provider
        named = self.user if isinstance(self.user, Reference) else None
        name, avatar, region, attributes, _ = self.description.columns()
        return (
            provider,
            not self.key.action_types or self.action_type in self.key.action_types,
            self.key.pk,
            self.request_id,
            self.id,
            uuid.uuid4(),
            None if named else self.user,
            provider if self.player is not None else named and (named.provider or provider),
            self.player if self.player is not None else named and named.external_id,
            uuid.uuid4() if self.player is not None else None,
            players.digest(provider, self.player) if self.player is not None else None,
            self.action_type,
            self.points,
            self.value,
            None if self.metadata is None else json.dumps(self.metadata),
            self.occurred_at,
            name,
            avatar,
            region,
            attributes,
        )

    def judged(self, row: Sequence[Any]) -> None:
        """Takes what PostgreSQL decided: a row of RECORD."""
        outcome, user_id, action_type, delta, value, new_total, created_at, *standing = row
        if outcome in ("awarded", "replayed"):
            self.replayed = outcome == "replayed"
            self.user_id, self.score_delta, self.measured, self.new_score = user_id, delta, value, new_total
            self.standing = standing_or_none(standing)
            if not self.replayed:
                SCORE_INCREMENTS.labels(ScoreHistory.Source.AWARD).inc()
        elif outcome == "id-reused":
            original = {
                "user_id": str(user_id),
                "action_type": action_type,
                "score_delta": delta,
                "value": value,
                "new_score": new_total,
                "awarded_at": created_at,
            }
            sentence = "This id was used for another award; `original` is what it did."
            self.refuse(Problem("id-reused", sentence, extra={"original": original}, subject=user_id))
        elif outcome in WRONG:
            field, sentence = WRONG[outcome]
            self.refuse(ValidationError({field: [sentence]}))
        else:
            self.refuse(refusal_of(outcome, user_id))

    @property
    def answer(self) -> dict[str, Any]:
        """What the client is told of one that counted, now or before."""
        return {
            "id": self.id,
            "player": self.player,
            "user_id": str(self.user_id),
            "score_delta": self.score_delta,
            "value": self.measured,
            "new_score": self.new_score,
            "rank": self.rank,
            "replayed": self.replayed,
        }


def record(key: ApiKey, entries: Sequence[Entry]) -> None:
    """Records each entry on its own merits, in one statement, and tells the board; what was refused before is left out.

    One alone goes with whatever else is waiting in this process, as in `redemption`; a batch is a group already.
    Raises OperationalError when PostgreSQL is away; a repeat with the same ids tells what was recorded.
    """
    refuse_wrong(key, [entry for entry in entries if entry.wrong])
    admitted = [entry for entry in entries if entry.refusal is None]
    for entry in admitted:
        entry.key = key
    if _batcher is not None and len(admitted) == 1:
        with suppress(Contended):
            return _batcher.put(admitted)
    commit(admitted)


def refuse_wrong(key: ApiKey, entries: Sequence[Entry]) -> None:
    """Attributes that are not declared refuse an award; a repeat writes none, and is told what the first call did."""
    if not entries:
        return
    known = set(
        Award.objects.filter(provider=key.provider, key__in=[digest(entry.id) for entry in entries]).values_list(
            "key", flat=True
        )
    )
    for entry in entries:
        if entry.wrong and digest(entry.id) not in known:
            entry.refuse(entry.wrong)


def digest(award_id: str) -> bytes:
    """By which a deed is known."""
    return sha256(award_id.encode()).digest()


_batcher: Batcher[Entry] | None = None


def start_batcher() -> None:
    """Has this process record single awards in groups from now on. Called once by each server process."""
    global _batcher
    _batcher = Batcher(commit)


def commit(admitted: Sequence[Entry]) -> None:
    """Records these entries, of whichever keys, in one statement, and tells the read side in one call."""
    if not admitted:
        return
    columns = [list(column) for column in zip(*(entry.columns() for entry in admitted), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(RECORD, [*columns, settings.APPROVE_TYPE_POINTS])
        for entry, row in zip(admitted, cursor.fetchall(), strict=True):
            entry.judged(row)
    for entry in admitted:
        if entry.key and entry.standing and not entry.replayed:
            AWARDS.labels(key_names(entry.key.name)).inc()
    announce(admitted)
