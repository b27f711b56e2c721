"""Events as others get them: CloudEvents 1.0, structured JSON."""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings

from accounts.models import User
from leaderboard import boards, ranking
from scoreboard.changes import Recorded

log = structlog.get_logger(__name__)

UPDATES = "scoreboard.updates"
CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
RANKED_AT_ONCE = 500

Event = dict[str, Any]


def updates(entries: Sequence[Recorded]) -> list[Event]:
    """One `scoreboard.updates` for each entry, in their order.

    `rank` and `player` are as of now, not as of the change: the history has neither. `rank` is None for who is not on
    the board, and while Redis is away; `player`, the site's own id, for who signed up here or was erased.
    """
    ids = list({entry.user_id for entry in entries})
    known = {pk: (provider, own) for pk, provider, own in people(ids)}
    ranks = ranks_of(ids)
    return [update(entry, *known.get(entry.user_id, ("", None)), ranks.get(entry.user_id)) for entry in entries]


def people(ids: Sequence[uuid.UUID]) -> Any:
    return User.objects.filter(pk__in=ids).values_list("pk", "provider", "external_id")


def ranks_of(ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int | None]:
    board = boards.GLOBAL
    found: dict[uuid.UUID, int | None] = {}
    try:
        for start in range(0, len(ids), RANKED_AT_ONCE):
            some = ids[start : start + RANKED_AT_ONCE]
            found |= {pk: place.rank for pk, place in zip(some, ranking.places(board, some), strict=True)}
    except (ranking.Unavailable, ranking.Lost) as error:
        log.info("event_ranks_unknown", error=str(error))
        return {}
    return found


def update(entry: Recorded, provider: str, player: str | None, rank: int | None) -> Event:
    """`id` is made of what makes a change unique, so that it is the same however often it is sent, also after a backup
    was restored and ids of rows were given out anew."""
    event_id = str(uuid.uuid5(entry.user_id, str(entry.action_id)))
    at = timestamp(entry.created_at)
    data = {
        "event_id": event_id,
        "user_id": str(entry.user_id),
        "player": player,
        "delta": entry.delta,
        "value": entry.value,
        "score": entry.new_total,
        "rank": rank,
        "source": entry.source,
        "updated_at": at,
    }
    # `sequence` is CloudEvents' own extension: text that rises, of each subject, in the order of the changes.
    extensions = {"sequence": f"{entry.id:019d}", **({"provider": provider} if player is not None else {})}
    return envelope(UPDATES, event_id, str(entry.user_id), at, data, **extensions)


def envelope(
    kind: str, event_id: str, subject: str | None, time: str, data: dict[str, Any], **extensions: str
) -> Event:
    """An event of any type. `subject`: what it is about; `data`: what is JSON."""
    return {
        "specversion": "1.0",
        "type": kind,
        "source": settings.SITE_URL or "/scoreboard",
        "id": event_id,
        **({"subject": subject} if subject else {}),
        "time": time,
        "datacontenttype": "application/json",
        **extensions,
        "data": data,
    }


def text(event: Event) -> str:
    return json.dumps(event, ensure_ascii=False)


def timestamp(at: datetime) -> str:
    """RFC 3339, in microseconds."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
