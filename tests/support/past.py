"""A past for tests: the ledger's clock cannot be turned back, so what happened then is written past it, as it would be.

With consistent totals and versions, and region and attributes as the trigger on `users` would have kept them.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from accounts.models import User
from scoreboard.models import AttributeHistory, ScoreHistory, UserScore


@dataclass(frozen=True)
class Event:
    """An entry, or, with a `name`, a new value of an attribute.

    `reverses`: the place of an earlier entry in the list.
    """

    at: datetime
    user_id: uuid.UUID
    delta: int = 0
    source: str = "award"
    action_type: str = ""
    reverses: int | None = None
    boards: tuple[int, ...] | None = None
    measure: int | None = None
    metadata: dict[str, Any] | None = None
    name: str = ""
    value: str = ""


def write(events: Sequence[Event]) -> list[int | None]:
    """Writes these in their order, which is that of their times; the ids of the entries, None for the others."""
    ids: list[int | None] = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no trigger notes the moment of now
        scores = {score.user_id: score for score in UserScore.objects.all()}
        for event in events:
            score = scores[event.user_id]
            score.version += 1
            if event.name:
                move(event, score.version)
                ids.append(None)
                continue
            [row] = ScoreHistory.objects.bulk_create([entry(event, score, ids)])
            score.total = row.new_total
            score.reached_at = event.at if event.measure is None else score.reached_at
            ids.append(row.pk)
        for score in scores.values():
            cursor.execute(
                "UPDATE user_scores SET total = %s, version = %s, reached_at = %s,"
                " changed_xid = pg_current_xact_id()::text::bigint WHERE user_id = %s",
                [score.total, score.version, score.reached_at, score.user_id],
            )
    return ids


def entry(event: Event, score: UserScore, ids: Sequence[int | None]) -> ScoreHistory:
    return ScoreHistory(
        user_id=event.user_id,
        action_id=uuid.uuid4(),
        source=event.source,
        action_type=event.action_type,
        delta=event.delta,
        old_total=score.total,
        new_total=score.total + event.delta,
        version=score.version,
        created_at=event.at,
        value=event.measure,
        metadata=event.metadata,
        boards=None if event.boards is None else list(event.boards),
        reverses=None if event.reverses is None else ids[event.reverses],
    )


def move(event: Event, version: int) -> None:
    AttributeHistory.objects.create(
        user_id=event.user_id, name=event.name, version=version, since=event.at, value=event.value
    )
    user = User.objects.get(pk=event.user_id)
    if event.name == "region":
        User.objects.filter(pk=user.pk).update(region=event.value)
    else:
        User.objects.filter(pk=user.pk).update(attributes={**user.attributes, event.name: event.value})
