"""Adjusting totals by hand: planned, shown, confirmed, and recorded once however often it is confirmed."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from accounts.models import User
from scoreboard import ledger
from scoreboard.ledger import Entry, Outcome
from scoreboard.models import MAX_TOTAL, ScoreHistory

MAX_PLAYERS = 1000  # of one adjustment: a person should be able to look through the preview
MAX_REASON = 500


class Moved(Exception):
    """A total is no longer what the plan showed, and the plan was for a new total."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked for: `delta` points or a new total `target`, exactly one of them, and why."""

    reason: str
    delta: int | None = None
    target: int | None = None
    boards: dict[str, int] | None = None  # those that it names: the id of each by its slug

    def after(self, total: int) -> int:
        return total + self.delta if self.delta is not None else self.target or 0


@dataclass(frozen=True, slots=True)
class Line:
    """What the change does to one player."""

    user_id: uuid.UUID
    old: int
    new: int
    staff: bool = False

    @property
    def raises_staff(self) -> bool:
        """The total of a staff account never rises."""
        return self.staff and self.new > self.old

    @property
    def in_range(self) -> bool:
        return 0 <= self.new <= MAX_TOTAL

    @property
    def change(self) -> str:
        """With its sign."""
        return f"{self.new - self.old:+d}"

    @property
    def counts(self) -> bool:
        """Whether there is anything to record."""
        return self.in_range and self.new != self.old and not self.raises_staff


@dataclass(frozen=True, slots=True)
class Plan:
    """An adjustment as shown to the one who is to confirm it. `action_id` makes a second confirmation harmless."""

    action_id: uuid.UUID
    change: Change
    lines: list[Line]

    @property
    def entries(self) -> list[Line]:
        return [line for line in self.lines if line.counts]


def plan(users: Iterable[User], change: Change) -> Plan:
    """What the change would do now, player by player; `users` with their scores."""
    return Plan(uuid.uuid4(), change, [line(user, change) for user in users])


def line(user: User, change: Change) -> Line:
    total = user.score.total if hasattr(user, "score") else 0
    return Line(user.pk, total, change.after(total), staff=user.earns_nothing)


def carry_out(confirmed: Plan, actor_id: uuid.UUID) -> list[Outcome]:
    """Records what the plan showed, each player alone, and announces it; the outcomes are those of `plan.entries`.

    A delta applies to the total of now, and is refused alone where that would leave the range. A new total was
    confirmed against an old one: raises Moved, and records nothing, if any of them is another by now.
    """
    entries = [
        Entry(
            user_id=line.user_id,
            action_id=confirmed.action_id,
            source=ScoreHistory.Source.ADJUSTMENT,
            delta=confirmed.change.delta or 0,
            target=confirmed.change.target,
            actor_id=actor_id,
            reason=confirmed.change.reason,
        )
        for line in confirmed.entries
    ]
    with transaction.atomic():
        outcomes = ledger.record(entries, list(named.values()) if (named := confirmed.change.boards) else None)
        if confirmed.change.target is not None:
            for line, outcome in zip(confirmed.entries, outcomes, strict=True):
                if outcome.old_total != line.old:
                    raise Moved
        recorded = (outcome.standing for outcome in outcomes if outcome.outcome == "recorded")
        ledger.announce(recorded, notify=True)
    return outcomes
