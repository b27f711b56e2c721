"""Bonus points from moderators, idempotent by the caller's key: a repeat pays nothing and hears the first answer."""

import uuid
from dataclasses import dataclass

from django.db import transaction

from api.problems import Problem
from scoreboard import ledger
from scoreboard.models import Bonus, ScoreHistory


@dataclass(frozen=True, slots=True)
class Given:
    """A bonus that counted, now or at the first of equal requests. `rank` is the player's as of this answer."""

    action_id: uuid.UUID
    new_score: int
    rank: int | None
    score_delta: int


def give(actor_id: uuid.UUID, key: str, user_id: uuid.UUID, points: int, reason: str) -> Given:
    """Gives `points` (1 or more) to a player.

    Raises Problem: 403 for oneself, 404 unknown player, 409 score-out-of-range, 409 idempotency-conflict when this
    actor used `key` for something else.
    """
    if user_id == actor_id:
        raise Problem("forbidden", "Nobody can give points to themselves.")
    with transaction.atomic():
        bonus = claim_key(actor_id, key, user_id, points, reason)
        entry = ledger.Entry(
            user_id=user_id,
            action_id=bonus.pk,
            source=ScoreHistory.Source.BONUS,
            delta=points,
            actor_id=actor_id,
            reason=reason,
        )
        [outcome] = ledger.record([entry])
        if outcome.outcome == "unknown-user":
            raise Problem("not-found", "There is no such player.")
        if outcome.new_total is None or outcome.delta is None:
            raise Problem("score-out-of-range", "The total would leave 0 to 9007199254740991.")
    placements = ledger.announce([outcome.standing])
    placement = placements.get(user_id)
    return Given(bonus.pk, outcome.new_total, placement.rank if placement else None, outcome.delta)


def claim_key(actor_id: uuid.UUID, key: str, user_id: uuid.UUID, points: int, reason: str) -> Bonus:
    """The row of this (actor, key), made now or by an earlier equal request. A refused bonus rolls it back.

    Of two equal requests at one moment the second waits on the unique index until the first has committed.
    """
    Bonus.objects.bulk_create(
        [Bonus(actor_id=actor_id, key=key, user_id=user_id, points=points, reason=reason)], ignore_conflicts=True
    )
    bonus = Bonus.objects.get(actor_id=actor_id, key=key)
    if (bonus.user_id, bonus.points, bonus.reason) != (user_id, points, reason):
        raise Problem("idempotency-conflict", "This Idempotency-Key was used for another bonus.")
    return bonus
