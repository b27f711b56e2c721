"""The catalogue, to edit; tokens and queued work, to look at."""

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.records import ReadOnlyAdmin, user_link
from actions import queue
from actions.models import ActionToken, ActionType, QueuedWork

if TYPE_CHECKING:
    ActionTypeModelAdmin = admin.ModelAdmin[ActionType]
else:
    ActionTypeModelAdmin = admin.ModelAdmin


@admin.register(ActionType)
class ActionTypeAdmin(ActionTypeModelAdmin):
    list_display = [
        "slug",
        "title",
        "granted_by",
        "points",
        "min_seconds",
        "token_lifetime",
        "max_per_hour",
        "cooldown",
        "enabled",
    ]
    list_filter = ["enabled", "granted_by"]
    search_fields = ["slug", "title"]
    fieldsets = [
        (None, {"fields": ["slug", "title", "points", "enabled", "token_lifetime"]}),
        ("Who grants it", {"fields": ["granted_by"]}),
        ("What players may grant themselves", {"fields": ["min_seconds", "cooldown", "max_per_hour"]}),
        ("Points by a back end or a signer", {"fields": ["min_points", "max_points"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: ActionType | None = None) -> list[str]:
        """The slug is the identity: tokens and history name it, and a changed one would be another type."""
        return ["slug"] if obj else []


@admin.register(ActionToken)
class ActionTokenAdmin(ReadOnlyAdmin):
    list_display = ["id", "player", "action_type", "points", "granted_by", "issued_at", "expires_at", "redeemed_at"]
    list_filter = ["action_type", "granted_by", "issued_at"]
    list_select_related = ["user"]
    ordering = ["-expires_at"]
    search_fields = ["=id", "user__username__iexact"]
    search_help_text = "A whole action id or a player's whole name."

    def player(self, token: ActionToken) -> str:
        return user_link(token.user)


@admin.register(QueuedWork)
class QueuedWorkAdmin(ReadOnlyAdmin):
    list_display = ["id", "player", "state", "attempts", "error", "accepted_at", "finished_at", "request_id"]
    list_filter = ["state", "accepted_at"]
    list_select_related = ["user"]
    ordering = ["-accepted_at"]
    actions = ["replay"]

    def player(self, work: QueuedWork) -> str:
        return user_link(work.user)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("actions.change_queuedwork")

    @admin.action(description="Send dead work to the queue once more", permissions=["replay"])
    def replay(self, request: HttpRequest, selected: QuerySet[QueuedWork]) -> None:
        replayed = [work for work in selected.filter(state=QueuedWork.State.DEAD) if queue.replay(work)]
        for work in replayed:
            self.log_change(request, work, "Sent to the queue once more.")
        messages.success(request, f"{len(replayed)} are waiting in the queue again.")
