"""Bonuses: who gave what to whom; those that wait are approved or refused here, by a second person."""

import uuid
from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.records import ReadOnlyAdmin, actor, user_link
from accounts.models import User
from api.problems import Problem
from scoreboard import approvals
from scoreboard.models import Bonus


@admin.register(Bonus)
class BonusAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "player", "points", "reason", "named", "giver", "state", "decider", "decided_at"]
    list_filter = ["state", "created_at"]
    list_select_related = ["user", "actor", "decided_by"]
    ordering = ["-created_at"]
    search_fields = ["=id", "user__username__iexact", "user__external_id__exact", "actor__username__iexact"]
    search_help_text = "A whole id, the whole sign-in name of a player or a giver, or a site's own id of a player."
    actions = ["approve", "refuse"]

    def player(self, bonus: Bonus) -> str:
        return user_link(bonus.user)

    @admin.display(description="Boards", empty_value="")
    def named(self, bonus: Bonus) -> str:
        return ", ".join(bonus.named)

    def giver(self, bonus: Bonus) -> str:
        return user_link(bonus.actor)

    @admin.display(empty_value="")
    def decider(self, bonus: Bonus) -> str | None:
        return user_link(bonus.decided_by) if bonus.decided_by else None

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scoreboard.give_bonus")

    @admin.action(description="Approve: pay selected bonuses that wait", permissions=["decide"])
    def approve(self, request: HttpRequest, selected: QuerySet[Bonus]) -> None:
        self.decide(request, selected, approvals.approve, "paid")

    @admin.action(description="Refuse selected bonuses that wait", permissions=["decide"])
    def refuse(self, request: HttpRequest, selected: QuerySet[Bonus]) -> None:
        self.decide(request, selected, approvals.refuse, "refused")

    def decide(
        self, request: HttpRequest, selected: QuerySet[Bonus], call: Callable[[uuid.UUID, User], None], done: str
    ) -> None:
        """Each bonus alone: one that cannot be paid does not keep the others waiting."""
        for bonus in selected.order_by("created_at", "pk").select_related("user"):
            try:
                call(bonus.pk, actor(request))
                messages.success(request, f"{bonus.points} points to {bonus.user} are {done}.")
            except approvals.NotPossible as error:
                messages.warning(request, str(error))
            except Problem as error:
                messages.warning(request, f"{bonus.points} points to {bonus.user} still wait: {error.sentence}")
