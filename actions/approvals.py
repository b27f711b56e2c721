"""Action types that can give much: they work once a second person has approved it."""

from django.conf import settings
from django.db import transaction

from accounts.models import User
from actions.models import ActionType
from scoreboard.approvals import NotPossible, log


def approve(slug: str, points: int, by: User, *, at_command_line: bool = False) -> None:
    """Lets the type give up to `points`, which is what the person who approves was shown.

    Raises NotPossible for who set that, except at the command line, when the type can give more than was shown, and
    when it waits for no approval.
    """
    with transaction.atomic():
        found = ActionType.objects.select_for_update().get(pk=slug)
        if found.proposed_by_id == by.pk and not at_command_line:
            raise NotPossible(f"{found}: you set its points, another person approves them.")
        if found.most > points:
            raise NotPossible(f"{found} can give {found.most} points by now, and not {points}. Look at it again.")
        if found.most <= max(settings.APPROVE_TYPE_POINTS, found.approved_points):
            raise NotPossible(f"{found} waits for no approval.")
        ActionType.objects.filter(pk=slug).update(approved_points=found.most)
        log(by, found, f"Approved: up to {found.most} points.", at_command_line)


def refuse(slug: str, by: User, *, at_command_line: bool = False) -> None:
    """Switches a waiting type off. Raises NotPossible when it waits for no approval."""
    with transaction.atomic():
        found = ActionType.objects.waiting().select_for_update().filter(pk=slug).first()
        if found is None:
            raise NotPossible(f"{slug} waits for no approval.")
        ActionType.objects.filter(pk=slug).update(enabled=False)
        log(by, found, f"Switched off: {found.most} points were not approved.", at_command_line)
