"""What `integrity` holds about one person: the flags, and what was decided about them."""

import uuid
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from accounts.models import User
from integrity.models import Flag

FLAG = ("id", "detector", "severity", "evidence", "state", "opened_at", "updated_at", "decided_at", "measures", "note")


def export(user: User) -> dict[str, Any]:
    """Of a crowd's flag without the others it names."""
    flags = list(Flag.objects.filter(user=user).order_by("id").values(*FLAG))
    for flag in flags:
        for finding in (flag["evidence"]["strongest"], flag["evidence"]["latest"]):
            if "accounts" in finding:
                finding["accounts"] = len(finding["accounts"])
    return {"flags": flags}


def erase(user_id: uuid.UUID) -> None:
    """Deletes them. Waits for an admin who decides one of them, never in a circle: they are locked in order."""
    with transaction.atomic():
        flags = Flag.objects.select_for_update().filter(user_id=user_id).order_by("pk")
        ids = [str(pk) for pk in flags.values_list("pk", flat=True)]
        log = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Flag), object_id__in=ids)
        log.update(change_message="")
        Flag.objects.filter(pk__in=ids).delete()
