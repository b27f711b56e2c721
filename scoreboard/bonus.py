"""Bonus points from moderators, idempotent by the caller's key: a repeat pays nothing and hears the first answer.

What a giver gives alone is at most BONUS_DAILY in any 24 hours. A bonus beyond that waits, unpaid, for a second person
(scoreboard/approvals.py).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now

from accounts.models import User
from api.problems import Problem
from scoreboard import ledger, named_boards
from scoreboard.ledger import Outcome
from scoreboard.models import Bonus, ScoreHistory

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Given:
    """A bonus that counted, now or at the first of equal requests. `rank` is the player's as of this answer."""

    action_id: uuid.UUID
    new_score: int
    rank: int | None
    score_delta: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A bonus that is kept, and paid once a second person approves it."""

    action_id: uuid.UUID
    state: str = Bonus.State.WAITING.value


def give(
    actor_id: uuid.UUID,
    key: str,
    user_id: uuid.UUID,
    points: int,
    reason: str,
    boards: Sequence[str] = (),
    *,
    hidden: bool = False,
) -> Given | Waiting:
    """Gives `points` (1 or more) to a player, or keeps the bonus as waiting; an equal repeat tells its present state.

    `boards`: the slugs of those it names; `hidden`: whether its giver may know of hidden ones.
    Raises ValidationError for boards it cannot name. Raises Problem: 403 for oneself, for staff, and for a bonus that
    was refused; 403 player-disabled; 404 unknown or erased player; 409 score-out-of-range; 409 id-reused when this
    actor used `key` for something else.
    """
    if user_id == actor_id:
        raise Problem("forbidden", "Nobody can give points to themselves.")
    with transaction.atomic():
        people = lock(actor_id, user_id)
        bonus = Bonus.objects.filter(actor_id=actor_id, key=key).first()
        if bonus is None:
            check_receiver(people.get(user_id))
            beyond = given_alone(actor_id) + points > settings.BONUS_DAILY
            state = Bonus.State.WAITING if beyond else Bonus.State.PAID
            named = named_boards.ids(boards, ScoreHistory.Source.BONUS, hidden=hidden) if boards else None
            bonus = Bonus.objects.create(
                actor_id=actor_id, key=key, user_id=user_id, points=points, reason=reason, state=state, boards=named
            )
        check_same(bonus, user_id, points, reason, boards)
        if bonus.state == Bonus.State.REFUSED:
            raise Problem("forbidden", "A second person has refused this bonus.")
        if bonus.state == Bonus.State.WAITING:
            return Waiting(bonus.pk)
        outcome, new_score, delta = pay(bonus)
    rank = ledger.announce([outcome.standing]).get(user_id)
    return Given(bonus.pk, new_score, rank, delta)


def lock(*user_ids: uuid.UUID) -> dict[uuid.UUID, User]:
    """These users, their rows locked in the order of their ids until the transaction ends.

    The giver's, so that two bonuses cannot read the sum of a day at once; the receiver's, which is then not disabled,
    erased or made staff between the check and the payment. Before any total, like the users' trigger.
    """
    users = User.objects.select_for_update(no_key=True).filter(pk__in=user_ids).order_by("pk")
    return {user.pk: user for user in users}


def check_receiver(user: User | None) -> None:
    """Raises Problem unless this player may get points as a gift."""
    if user is None or user.erased_at is not None:
        raise Problem("not-found", "There is no such player.")
    if not user.is_active:
        raise Problem("player-disabled", "The player is disabled.")
    if user.earns_nothing:
        raise ledger.refusal("staff")
    if user.has_perm("scoreboard.give_bonus"):
        raise Problem("forbidden", "A user who can give bonus points receives none.")


def given_alone(actor_id: uuid.UUID) -> int:
    """The points that this user gave within 24 hours without a second person. The giver's row is locked."""
    alone = Bonus.objects.filter(actor_id=actor_id, state=Bonus.State.PAID, decided_at=None)
    return int(alone.filter(created_at__gt=Now() - DAY).aggregate(points=Sum("points"))["points"] or 0)


def check_same(bonus: Bonus, user_id: uuid.UUID, points: int, reason: str, boards: Sequence[str]) -> None:
    """Raises Problem id-reused unless the bonus is the one asked for. The reason is empty once its player is erased."""
    same = (bonus.user_id, bonus.points, bonus.named) == (user_id, points, sorted(boards))
    if not same or bonus.reason not in ("", reason):
        original = {
            "action_id": bonus.pk,
            "user_id": bonus.user_id,
            "points": bonus.points,
            "reason": bonus.reason,
            "boards": bonus.named,
            "state": bonus.state,
            "created_at": bonus.created_at,
        }
        sentence = "This Idempotency-Key was used for another bonus; `original` is that one."
        raise Problem("id-reused", sentence, extra={"original": original})


def pay(bonus: Bonus) -> tuple[Outcome, int, int]:
    """The outcome in the ledger, the new total and the points: of the first payment when there was one before.

    Raises Problem score-out-of-range.
    """
    entry = ledger.Entry(
        user_id=bonus.user_id,
        action_id=bonus.pk,
        source=ScoreHistory.Source.BONUS,
        delta=bonus.points,
        actor_id=bonus.actor_id,
        reason=bonus.reason,
    )
    [outcome] = ledger.record([entry], list(bonus.boards.values()) if bonus.boards else None)
    if outcome.new_total is None or outcome.delta is None:
        raise ledger.refusal(outcome.outcome)
    return outcome, outcome.new_total, outcome.delta
