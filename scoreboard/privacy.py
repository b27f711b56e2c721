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
from scoreboard import closing, entrants, named_boards
from scoreboard.models import (
    AttributeHistory,
    Board,
    BoardEntrant,
    Bonus,
    FinalStanding,
    PlayerNotice,
    ScoreHistory,
    UserScore,
)

ENTRY = (
    *("id", "action_id", "source", "action_type", "delta", "value", "old_total", "new_total", "reason", "request_id"),
    *("created_at", "occurred_at", "boards", "metadata"),
)
BONUS = ("points", "reason", "state", "created_at")


def export(user: User) -> dict[str, Any]:
    return {
        "score": UserScore.objects.filter(pk=user.pk).values("total", "version", "reached_at").first(),
        "history": history(ScoreHistory.objects.filter(user=user).order_by("id")),
        "bonuses_received": bonuses(Bonus.objects.filter(user_id=user.pk), "id", *BONUS),
        "notices": [
            {"board": one.board, "period": one.period.key, "rank": one.rank, "text": one.text, "at": one.created_at}
            for one in closing.notices(user).order_by("id")
        ],
        "bonuses_given": bonuses(Bonus.objects.filter(actor=user), "id", "user_id", *BONUS),
        "boards_joined": boards_joined(user.pk),
        "final_ranks": final_ranks(FinalStanding.objects.filter(user=user)),
        # By which boards their entries counted; "" once it was taken away.
        "attribute_history": list(
            AttributeHistory.objects.filter(user_id=user.pk)
            .order_by("version", "name")
            .values("name", "value", "since")
        ),
    }


def boards_joined(user_id: uuid.UUID) -> list[dict[str, Any]]:
    """Of those that the person may see."""
    joined = dict(BoardEntrant.objects.filter(user_id=user_id).values_list("board_id", "joined_at"))
    shown = Board.objects.exclude(visibility=Board.Visibility.HIDDEN)
    slugs = shown.filter(pk__in=joined).order_by("slug").values_list("pk", "slug")
    return [{"board": slug, "joined_at": joined[board]} for board, slug in slugs]


def final_ranks(found: QuerySet[FinalStanding]) -> list[dict[str, Any]]:
    """Of the boards and periods that the person may see."""
    shown = found.filter(period__truth=False).exclude(period__board__visibility=Board.Visibility.HIDDEN)
    return [
        {
            "board": one.period.address,
            "period": one.period.key,
            **{name: getattr(one, name) for name in ("rank", "points", "reached_at", "metadata")},
        }
        for one in shown.select_related("period__board").order_by("period__closed_at", "pk")
    ]


def history(found: QuerySet[ScoreHistory]) -> list[dict[str, Any]]:
    """`boards` by their slugs, of those that the person may see."""
    entries = list(found)
    slugs = named_boards.slugs(entries, hidden=False)
    told = [{name: getattr(entry, name) for name in ENTRY} for entry in entries]
    for entry in told:
        entry["boards"] = entry["boards"] and [slugs[board] for board in entry["boards"] if board in slugs]
    return told


def bonuses(found: QuerySet[Bonus], *fields: str) -> list[dict[str, Any]]:
    return list(found.order_by("created_at").values(*fields))


def erase(user_id: uuid.UUID) -> None:
    """Leaves every board, empties reasons, metadata and former attributes, deletes the notices. Can be repeated."""
    entrants.leave_all(user_id)
    with transaction.atomic():
        Bonus.objects.filter(user_id=user_id).update(reason="")
        PlayerNotice.objects.filter(user_id=user_id).delete()
        with connection.cursor() as cursor:
            # There may be very many entries, and a repeat has as many.
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SELECT score_history_forget(%s)", [user_id])
