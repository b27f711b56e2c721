"""The seam for events that are not in the history: what operators should know is filed here, and delivered."""

import uuid
from typing import Any

from events.models import Delivery, Endpoint


def file(kind: str, data: dict[str, Any]) -> int:
    """Files an event of this type (`scoreboard.notice`) for every webhook that takes it; returns for how many.

    `data` is what JSON can say; it is kept in the log of deliveries for 30 days, so it names no person. In the caller's
    transaction: what is rolled back is not told. One INSERT for each webhook, so never on the path of a score.
    """
    takers = Endpoint.objects.filter(types__contains=[kind], disabled_at=None)
    filed = [Delivery(endpoint=endpoint, message_id=uuid.uuid4(), type=kind, data=data) for endpoint in takers]
    return len(Delivery.objects.bulk_create(filed))
