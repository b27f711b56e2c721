"""What this package holds about one person, and how it is cleared."""

import uuid
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from actions.models import ActionToken, Flag, QueuedWork

TOKEN = ("id", "action_type", "points", "issued_at", "expires_at", "redeemed_at")
WORK = ("id", "submissions", "request_id", "accepted_at", "state", "error", "results", "finished_at")
FLAG = ("id", "detector", "severity", "evidence", "state", "opened_at", "updated_at", "decided_at", "measures", "note")


def held(user_id: uuid.UUID) -> dict[str, Any]:
    """As JSON once dates and ids are written as text. Of a crowd's flag without the others it names."""
    flags = list(Flag.objects.filter(user_id=user_id).order_by("id").values(*FLAG))
    for flag in flags:
        for finding in (flag["evidence"]["strongest"], flag["evidence"]["latest"]):
            if "accounts" in finding:
                finding["accounts"] = len(finding["accounts"])
    return {
        "action_tokens": list(ActionToken.objects.filter(user_id=user_id).order_by("issued_at").values(*TOKEN)),
        "queued_work": list(QueuedWork.objects.filter(user_id=user_id).order_by("accepted_at").values(*WORK)),
        "flags": flags,
    }


def clear(user_id: uuid.UUID) -> None:
    """Deletes it all. Work that waits is not done any more.

    Each kind in a transaction of its own, and tokens locked in the order of their ids: this waits for whoever decides,
    redeems or works on one of them, and never in a circle.
    """
    with transaction.atomic():
        flags = Flag.objects.select_for_update().filter(user_id=user_id).order_by("pk")
        ids = [str(pk) for pk in flags.values_list("pk", flat=True)]
        log = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Flag), object_id__in=ids)
        log.update(change_message="")
        Flag.objects.filter(pk__in=ids).delete()
    QueuedWork.objects.filter(user_id=user_id).delete()
    with transaction.atomic():
        tokens = ActionToken.objects.select_for_update().filter(user_id=user_id).order_by("pk")
        ActionToken.objects.filter(pk__in=list(tokens.values_list("pk", flat=True))).delete()
