"""The catalogue, to edit; tokens and queued work, to look at."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from accounts.admin.records import ReadOnlyAdmin, ShownAdmin, actor, user_link
from actions import approvals, queue
from actions.models import ActionToken, ActionType, QueuedWork
from scoreboard.approvals import NotPossible


@admin.register(ActionType)
class ActionTypeAdmin(ShownAdmin):
    list_display = [
        "slug",
        "title",
        "granted_by",
        "points",
        "measure",
        "min_seconds",
        "token_lifetime",
        "max_per_hour",
        "cooldown",
        "enabled",
        "approval",
    ]
    list_filter = ["enabled", "granted_by"]
    list_select_related = ["proposed_by"]
    actions = ["approve"]
    search_fields = ["slug", "title"]
    fieldsets = [
        (None, {"fields": ["slug", "title", "points", "enabled", "token_lifetime"]}),
        ("Who grants it", {"fields": ["granted_by"]}),
        ("What players may grant themselves", {"fields": ["min_seconds", "cooldown", "max_per_hour"]}),
        (
            "Points, or a measure's values, by a back end or a signer",
            {"fields": ["min_points", "max_points", "measure"]},
        ),
        ("Second person", {"fields": ["approved_points", "proposed_by"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: ActionType | None = None) -> list[str]:
        """The slug is the identity: tokens and history name it, and a changed one would be another type. So would be a
        measure that becomes points."""
        return ["approved_points", "proposed_by", *(["slug", "measure"] if obj else [])]

    def save_model(self, request: HttpRequest, obj: ActionType, form: Any, change: bool) -> None:
        if not change or obj.most != max(form.initial["points"], form.initial["max_points"] or 0):
            obj.proposed_by = actor(request)
        super().save_model(request, obj, form, change)

    @admin.display(empty_value="")
    def approval(self, kind: ActionType) -> str | None:
        if kind.most <= max(settings.APPROVE_TYPE_POINTS, kind.approved_points):
            return None
        return f"waits for approval of {kind.most} points{f', set by {kind.proposed_by}' if kind.proposed_by else ''}"

    @admin.action(description="Approve the points of selected types", permissions=["change"])
    def approve(self, request: HttpRequest, selected: QuerySet[ActionType]) -> TemplateResponse | None:
        """Shows what would be approved; with `confirmed`, approves that and no more."""
        names = list(selected.values_list("pk", flat=True))
        if "confirmed" not in request.POST:
            return self.ask(request, names)
        for name in names:
            shown = request.POST.get(f"points-{name}", "")
            try:
                approvals.approve(name, int(shown) if shown.isdecimal() and len(shown) < 19 else 0, actor(request))
                messages.success(request, f"{name} works now.")
            except NotPossible as error:
                messages.warning(request, str(error))
        return None

    def ask(self, request: HttpRequest, names: list[str]) -> TemplateResponse | None:
        types = ActionType.objects.waiting().filter(pk__in=names).select_related("proposed_by")
        if not types:
            messages.warning(request, "None of these waits for approval.")
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Approve the points",
            "types": types,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/actions/actiontype/approve.html", context)


@admin.register(ActionToken)
class ActionTokenAdmin(ReadOnlyAdmin):
    list_display = ["id", "player", "action_type", "points", "granted_by", "issued_at", "expires_at", "redeemed_at"]
    list_filter = ["action_type", "granted_by", "issued_at"]
    list_select_related = ["user"]
    ordering = ["-expires_at"]
    search_fields = ["=id", "user__username__iexact", "user__external_id__exact"]
    search_help_text = "A whole action id, a player's whole sign-in name or a site's own id of the player."

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
