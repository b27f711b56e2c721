"""What happened, to look at: totals, the score history, and who did what in this admin site."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from scoreboard.models import ScoreHistory, User, UserScore

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Nothing can be added, changed or deleted, not by a superuser and not by a crafted request."""

    actions: Sequence[Any] | None = None
    list_display_links = None
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def user_link(user: User) -> str:
    return format_html('<a href="{}">{}</a>', reverse("admin:scoreboard_user_change", args=[user.pk]), user.username)


@admin.register(UserScore)
class UserScoreAdmin(ReadOnlyAdmin):
    list_display = ["player", "total", "version", "reached_at"]
    list_select_related = ["user"]
    ordering = ["-total", "reached_at", "-user_id"]
    search_fields = ["user__username"]

    @admin.display(ordering="user__username")
    def player(self, score: UserScore) -> str:
        return user_link(score.user)


@admin.register(ScoreHistory)
class ScoreHistoryAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "player", "delta", "totals", "source", "action_type", "by", "reason", "request_id"]
    list_filter = ["source", "created_at"]
    list_select_related = ["user", "actor"]
    ordering = ["-id"]
    # Exact, so that an index answers: the history is the one table without a bound.
    search_fields = ["user__username__iexact", "=request_id"]
    search_help_text = "A player's whole name, or a request id."

    def player(self, entry: ScoreHistory) -> str:
        return user_link(entry.user)

    def totals(self, entry: ScoreHistory) -> str:
        return f"{entry.old_total} → {entry.new_total}"

    @admin.display(empty_value="")
    def by(self, entry: ScoreHistory) -> str | None:
        return user_link(entry.actor) if entry.actor else None


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    list_display = ["action_time", "user", "object_repr", "action", "what", "content_type"]
    list_filter = ["action_flag", "action_time"]
    list_select_related = ["user", "content_type"]
    search_fields = ["object_repr", "change_message"]

    def action(self, entry: LogEntry) -> str:
        return entry.get_action_flag_display()

    def what(self, entry: LogEntry) -> str:
        return entry.get_change_message()
