"""`scoreboard.period_closed`: filed for the webhooks that take it once a period is closed, and made when it is sent.

`period_close` has written what there is to tell in its own transaction. Here it is taken and filed in one, so that each
webhook is sent each piece once, whatever ends in between. One that is disabled gets it when it is enabled again.
"""

import uuid
from typing import Any

from django.db import transaction

from accounts.models import User
from events.envelope import timestamp
from events.models import Delivery, Endpoint
from scoreboard.models import PeriodClosing

AT_ONCE = 100
SAID = ("board", "period", "players", "piece", "pieces", "places")


def file_all() -> int:
    """Files what is waiting; returns how many pieces that were."""
    filed = 0
    while taken := file_some():
        filed += taken
    return filed


def file_some() -> int:
    with transaction.atomic():
        taken = list(PeriodClosing.objects.select_for_update(skip_locked=True).order_by("id")[:AT_ONCE])
        if not taken:
            return 0
        takers = Endpoint.objects.filter(types__contains=[Endpoint.Type.PERIOD_CLOSED])
        Delivery.objects.bulk_create(
            Delivery(
                endpoint=endpoint,
                message_id=uuid.uuid4(),
                type=Endpoint.Type.PERIOD_CLOSED.value,
                data=as_json(one),
            )
            for one in taken
            for endpoint in takers
        )
        PeriodClosing.objects.filter(pk__in=[one.pk for one in taken]).delete()
    return len(taken)


def as_json(one: PeriodClosing) -> dict[str, Any]:
    moments = {name: getattr(one, name) for name in ("starts_at", "ends_at", "closed_at")}
    return {
        **{name: getattr(one, name) for name in SAID},
        **{name: at and timestamp(at) for name, at in moments.items()},
    }


def told(data: dict[str, Any]) -> dict[str, Any]:
    """What is sent: the players as they are now, without those who are hidden or erased by now."""
    ids = [uuid.UUID(user_id) for _, user_id, _ in data["places"]]
    shown = {str(user.pk): user for user in User.objects.filter(pk__in=ids) if user.visible}
    places = [
        {"rank": rank, "user_id": user_id, **whose(shown[user_id]), "score": score}
        for rank, user_id, score in data["places"]
        if user_id in shown
    ]
    return {**data, "places": places}


def whose(user: User) -> dict[str, str | None]:
    """The site's own id of the player, and which site's; as in `scoreboard.updates`."""
    return {"player": user.external_id, "provider": user.provider if user.external_id is not None else None}
