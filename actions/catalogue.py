"""What is offered for points, and to whom."""

from django.db.models import QuerySet

from actions.models import ActionType, Grant


def offered() -> QuerySet[ActionType]:
    """The types that work."""
    return ActionType.objects.filter(enabled=True)


def playable() -> QuerySet[ActionType]:
    """Those that a player may grant, the smallest first."""
    return offered().filter(granted_by=Grant.PLAYER).order_by("points", "slug")
