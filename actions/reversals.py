"""Reversals: a back end takes back what an award of its own gave."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from accounts.key_views import demand_type
from accounts.models import ApiKey, User
from actions import awards
from actions.models import Award
from api.problems import Problem
from scoreboard import ledger
from scoreboard.models import ScoreHistory


@dataclass(frozen=True, slots=True)
class Reversed:
    """What taking an award back did, now or at the first call. `rank` is the player's as of this answer."""

    id: str
    player: str | None
    user_id: uuid.UUID
    score_delta: int
    new_score: int
    rank: int | None
    reversed_at: datetime


def reverse(key: ApiKey, award_id: str) -> Reversed:
    """Takes an award's points, or its measure, back, once: a correction in the history, under an id made of its own.

    Raises Problem: 404 no such award of this provider, 403 forbidden for a type that the key may not grant,
    409 score-out-of-range when the player has fewer points than that.
    """
    award = Award.objects.filter(provider=key.provider, key=awards.digest(award_id)).first()
    if award is None:
        raise Problem("not-found", "There is no such award.")
    demand_type(key, award.action_type)
    first = ScoreHistory.objects.get(user_id=award.user_id, action_id=award.action_id)
    entry = ledger.Entry(
        user_id=award.user_id,
        action_id=uuid.uuid5(award.action_id, "reversed"),
        source=ScoreHistory.Source.CORRECTION,
        action_type=award.action_type,
        delta=-first.delta,
        value=first.value,
        reason="The award was reversed.",
        reverses=first.pk,
    )
    [outcome] = ledger.record([entry])
    if outcome.new_total is None or outcome.delta is None or outcome.created_at is None:
        raise awards.refusal_of(outcome.outcome, award.user_id)
    rank = ledger.announce([outcome.standing]).get(award.user_id)
    owner = User.objects.filter(pk=award.user_id, provider=key.provider).values_list("external_id", flat=True).first()
    return Reversed(
        id=award_id,
        player=owner,
        user_id=award.user_id,
        score_delta=outcome.delta,
        new_score=outcome.new_total,
        rank=rank,
        reversed_at=outcome.created_at,
    )
