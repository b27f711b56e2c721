"""What `actions` holds about one person: action tokens, awards and queued work."""

import uuid
from typing import Any

from django.db import connection, transaction

from accounts.models import User
from actions.models import ActionToken, Award, QueuedWork

TOKEN = ("id", "action_type", "points", "issued_at", "expires_at", "redeemed_at")
AWARD = ("external_id", "action_id", "action_type", "points", "value", "created_at")
WORK = ("id", "submissions", "request_id", "accepted_at", "state", "error", "results", "finished_at")


def export(user: User) -> dict[str, Any]:
    return {
        "action_tokens": list(ActionToken.objects.filter(user=user).order_by("issued_at").values(*TOKEN)),
        "awards": list(Award.objects.filter(user=user).order_by("created_at").values(*AWARD)),
        "queued_work": list(QueuedWork.objects.filter(user=user).order_by("accepted_at").values(*WORK)),
    }


def erase(user_id: uuid.UUID) -> None:
    """Deletes it all, but for what keeps a deed from being paid again: of an award the site's own id goes, which may
    name the player, and its hash stays. Work that waits is not done any more.

    Tokens are locked in the order of their ids: this waits for redemptions of them, never in a circle.
    """
    QueuedWork.objects.filter(user_id=user_id).delete()
    with transaction.atomic(), connection.cursor() as cursor:
        # There may be very many, and a repeat has as many.
        cursor.execute("SET LOCAL statement_timeout = 0")
        Award.objects.filter(user_id=user_id).exclude(external_id="").update(external_id="")
    with transaction.atomic():
        tokens = ActionToken.objects.select_for_update().filter(user_id=user_id).order_by("pk")
        ActionToken.objects.filter(pk__in=list(tokens.values_list("pk", flat=True))).delete()
