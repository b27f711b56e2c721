"""What `scoreboard` holds about one person: the score and what made it.

The figures outlive an erasure, so that every sum stays what it was; the free text that others wrote about the person
does not.

Without who else was involved: who gave a bonus or wrote an entry is about them.
"""

import uuid
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from accounts.models import User
from scoreboard.models import Bonus, PlayerNotice, ScoreHistory, UserScore

ENTRY = (
    *("id", "action_id", "source", "action_type", "delta", "old_total", "new_total", "reason", "request_id"),
    *("created_at", "occurred_at"),
)
BONUS = ("points", "reason", "state", "created_at")


def export(user: User) -> dict[str, Any]:
    return {
        "score": UserScore.objects.filter(pk=user.pk).values("total", "version", "reached_at").first(),
        "history": list(ScoreHistory.objects.filter(user=user).order_by("id").values(*ENTRY)),
        "bonuses_received": bonuses(Bonus.objects.filter(user_id=user.pk), "id", *BONUS),
        "notices": [
            {"board": one.board, "period": one.period.key, "rank": one.rank, "text": one.text, "at": one.created_at}
            for one in PlayerNotice.objects.filter(user=user).select_related("period__board").order_by("id")
        ],
        "bonuses_given": bonuses(Bonus.objects.filter(actor=user), "id", "user_id", *BONUS),
    }


def bonuses(found: QuerySet[Bonus], *fields: str) -> list[dict[str, Any]]:
    return list(found.order_by("created_at").values(*fields))


def erase(user_id: uuid.UUID) -> None:
    """Empties the reasons, and deletes the notices. Raises nothing of its own; a repeat finds them empty."""
    with transaction.atomic():
        Bonus.objects.filter(user_id=user_id).update(reason="")
        PlayerNotice.objects.filter(user_id=user_id).delete()
        with connection.cursor() as cursor:
            cursor.execute("SELECT score_history_forget(%s)", [user_id])
