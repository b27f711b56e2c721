"""What is offered for points, and to whom."""

from django.db.models import QuerySet

from actions.models import ActionType, Grant


def every_slug() -> QuerySet[ActionType, str]:
    return ActionType.objects.values_list("pk", flat=True)


def playable() -> QuerySet[ActionType]:
    """The working types that a player may grant, the smallest first."""
    return ActionType.objects.working().filter(granted_by=Grant.PLAYER).order_by("points", "slug")
