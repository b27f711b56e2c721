"""`manage.py approve [--refuse] [--as NAME] [id …]`"""

import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from actions import approvals
from actions.models import ActionType
from api.problems import Problem
from scoreboard import approvals as bonus_approvals
from scoreboard.approvals import NotPossible
from scoreboard.models import Bonus


class Command(BaseCommand):
    help = (
        "Lists the action types and bonuses that wait for a second person, and approves or refuses them: for a site "
        "with one admin, who has no second person, and a shell on the server."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", metavar="id", help="action types by name, bonuses by id; none: list them")
        parser.add_argument("--refuse", action="store_true", help="switch the types off, and never pay the bonuses")
        parser.add_argument("--as", dest="name", help="the admin in whose name the admin log has it")

    def handle(self, *, ids: list[str], refuse: bool, name: str | None, **options: Any) -> None:
        if not ids:
            return self.list()
        by = admin(name)
        refused = []
        for one in ids:
            try:
                decide(one, by, refuse=refuse)
                self.stdout.write(f"{one} is {'refused' if refuse else 'approved'}.")
            except (NotPossible, CommandError) as error:
                refused.append(str(error))
            except Problem as error:
                refused.append(f"{one} still waits: {error.sentence}")
        if refused:
            raise CommandError("\n".join(refused))

    def list(self) -> None:
        for kind in ActionType.objects.waiting().select_related("proposed_by"):
            who = f", set by {kind.proposed_by}" if kind.proposed_by else ""
            self.stdout.write(f"{kind.slug}  action type, up to {kind.most} points{who}")
        for bonus in bonus_approvals.waiting().select_related("actor", "user"):
            self.stdout.write(
                f"{bonus.pk}  {bonus.points} points to {bonus.user} from {bonus.actor}, "
                f"{bonus.created_at:%Y-%m-%d %H:%M} UTC: {bonus.reason}"
            )


def admin(name: str | None) -> User:
    """The admin of this name; without a name the only one there is. Raises CommandError."""
    users = User.objects.all() if name is None else User.objects.named(name)
    found = list(users.filter(is_staff=True, is_active=True)[:2])
    if len(found) != 1:
        raise CommandError("Say with --as which admin you are." if name is None else f"There is no admin {name!r}.")
    return found[0]


def decide(one: str, by: User, *, refuse: bool) -> None:
    """Raises CommandError for an id of nothing, NotPossible and Problem."""
    if kind := ActionType.objects.filter(pk=one).first():
        if refuse:
            approvals.refuse(kind.pk, by, at_command_line=True)
        else:
            approvals.approve(kind.pk, kind.most, by, at_command_line=True)
    elif bonus := bonus_of(one):
        call = bonus_approvals.refuse if refuse else bonus_approvals.approve
        call(bonus.pk, by, at_command_line=True)
    else:
        raise CommandError(f"There is no action type and no bonus {one!r}.")


def bonus_of(text: str) -> Bonus | None:
    try:
        return Bonus.objects.filter(pk=uuid.UUID(text)).first()
    except ValueError:
        return None
