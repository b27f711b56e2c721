"""What was scored, to look at: totals and the score history."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.exportable import ExportableAdmin
from accounts.admin.records import ReadOnlyAdmin, user_link
from scoreboard import exports, named_boards
from scoreboard.models import ScoreHistory, UserScore


@admin.register(UserScore)
class UserScoreAdmin(ReadOnlyAdmin):
    list_display = ["player", "total", "version", "reached_at"]
    list_select_related = ["user"]
    ordering = ["-total", "reached_at", "-user_id"]
    search_fields = ["user__username", "user__display_name", "user__external_id__exact"]
    change_list_template = "admin/scoreboard/totals.html"

    @admin.display(ordering="user__username")
    def player(self, score: UserScore) -> str:
        return user_link(score.user)


@admin.register(ScoreHistory)
class ScoreHistoryAdmin(ExportableAdmin):
    export_name, export_right = "history", exports.HistoryExportView.right
    export_columns = exports.COLUMNS
    list_display = [
        "created_at",
        "player",
        "delta",
        "value",
        "totals",
        "source",
        "action_type",
        "occurred_at",
        "by",
        "reason",
        "named",
        "request_id",
    ]
    list_filter = ["source", "created_at"]
    linked = ["user"]
    list_select_related = ["user", "actor"]
    ordering = ["-id"]
    # Exact, so that an index answers: the history is the one table without a bound.
    search_fields = ["user__username__iexact", "user__external_id__exact", "=request_id"]
    search_help_text = "A player's whole sign-in name, a site's own id of the player, or a request id."

    def has_view_permission(self, request: HttpRequest, obj: ScoreHistory | None = None) -> bool:
        """Moderators too: the API shows them everybody's history."""
        return super().has_view_permission(request, obj) or request.user.has_perm("scoreboard.view_any_history")

    def export_rows(self, found: QuerySet[ScoreHistory]) -> tuple[str, Any]:
        return exports.query(found)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScoreHistory]:
        found: QuerySet[ScoreHistory] = super().get_queryset(request)
        return found.annotate(board_slugs=named_boards.SLUGS)

    @admin.display(description="Boards", empty_value="")
    def named(self, entry: Any) -> str:
        return str(entry.board_slugs)

    def player(self, entry: ScoreHistory) -> str:
        return user_link(entry.user)

    def totals(self, entry: ScoreHistory) -> str:
        return f"{entry.old_total} → {entry.new_total}"

    @admin.display(empty_value="")
    def by(self, entry: ScoreHistory) -> str | None:
        return user_link(entry.actor) if entry.actor else None
