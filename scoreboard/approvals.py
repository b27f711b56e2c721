"""Bonuses beyond what their giver may give alone: a second person approves or refuses them.

The decision, the payment and the line of the admin log commit together.
"""

import uuid

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import Model, QuerySet
from django.db.models.functions import Now

from accounts.models import ApiKey, User
from scoreboard import bonus, ledger
from scoreboard.models import Bonus


class NotPossible(Exception):
    """The decision is not this user's, or there is nothing to decide; the sentence says why."""


def waiting() -> QuerySet[Bonus]:
    """The bonuses that wait, the oldest first."""
    return Bonus.objects.filter(state=Bonus.State.WAITING).order_by("created_at", "pk")


def approve(bonus_id: uuid.UUID, by: User, *, at_command_line: bool = False) -> None:
    """Pays a waiting bonus, once. At the command line its giver may, too: a shell can change the database anyway.

    Raises NotPossible, and Problem as `bonus.give` does: then it still waits.
    """
    with transaction.atomic():
        found, people = claim(bonus_id, by, at_command_line)
        bonus.check_receiver(people.get(found.user_id))
        outcome, _, _ = bonus.pay(found)
        decide(found, Bonus.State.PAID, by)
        log(by, found, f"Approved: {found.points} points from {people[found.actor_id]}.", at_command_line)
        ledger.announce([outcome.standing], notify=True)


def refuse(bonus_id: uuid.UUID, by: User, *, at_command_line: bool = False) -> None:
    """A refused bonus is never paid. Raises NotPossible."""
    with transaction.atomic():
        found, people = claim(bonus_id, by, at_command_line)
        decide(found, Bonus.State.REFUSED, by)
        log(by, found, f"Refused: {found.points} points from {people[found.actor_id]}.", at_command_line)


def claim(bonus_id: uuid.UUID, by: User, at_command_line: bool) -> tuple[Bonus, dict[uuid.UUID, User]]:
    """The waiting bonus with its giver and receiver, all locked, people first. Raises NotPossible."""
    found = Bonus.objects.get(pk=bonus_id)  # its people never change
    # Who issued or rotated a key has seen it, and is the first person of what it gives.
    issued = ApiKey.objects.filter(actor_id=found.actor_id, created_by=by).exists()
    if (issued or by.pk in (found.actor_id, found.user_id)) and not at_command_line:
        raise NotPossible(
            f"{found}: neither its giver nor its receiver decides about it; nor who issued the giver's key."
        )
    people = bonus.lock(found.actor_id, found.user_id)
    found = Bonus.objects.select_for_update(no_key=True).get(pk=bonus_id)
    if found.state != Bonus.State.WAITING:
        raise NotPossible(f"{found}: it is {found.state} already.")
    return found, people


def decide(found: Bonus, state: Bonus.State, by: User) -> None:
    Bonus.objects.filter(pk=found.pk).update(state=state, decided_by=by, decided_at=Now())


def log(by: User, target: Model, message: str, at_command_line: bool) -> None:
    """One line of the admin log under the name of the user who decided."""
    where = " At the command line." if at_command_line else ""
    LogEntry.objects.log_actions(by.pk, [target], CHANGE, f"{message}{where}", single_object=True)
