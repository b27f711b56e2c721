"""What is only looked at in admin: the base for every such table, who did what here, and what was refused to whom."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from accounts.audit import LEFT_OUT
from accounts.models import AuditLog, User
from api.problems import KINDS, REFUSALS

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


# Columns that link to a person's page, and what those see there who may not open it.
NAMES = {"player": "user", "by": "actor"}


class ReadOnlyAdmin(ModelAdmin):
    """Nothing can be added, changed or deleted, not by a superuser and not by a crafted request."""

    actions: Sequence[Any] | None = None
    list_display_links = None
    show_full_result_count = False

    class Media:
        css = {"all": ["accounts/records.css"]}

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        columns = list(super().get_list_display(request))
        if request.user.has_perm("accounts.view_user"):
            return columns
        return [NAMES.get(str(column), column) for column in columns]

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def user_link(user: User) -> str:
    return format_html('<a href="{}">{}</a>', reverse("admin:accounts_user_change", args=[user.pk]), user.shown_name)


def actor(request: HttpRequest) -> User:
    """Who acts; the admin site has made sure that it is a user."""
    return cast(User, request.user)


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    list_display = ["action_time", "user", "object_repr", "action", "what", "content_type"]
    list_filter = ["action_flag", "action_time"]
    list_select_related = ["user", "content_type"]
    search_fields = ["user__username__iexact", "object_repr", "change_message"]

    def action(self, entry: LogEntry) -> str:
        return entry.get_action_flag_display()

    def what(self, entry: LogEntry) -> str:
        return entry.get_change_message()


class Today(admin.SimpleListFilter):
    """Today's lines unless another day is asked for: after a flood there are very many."""

    title, parameter_name = "day", "day"
    SHOWN = 14

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        days = [timezone.now().date() - timedelta(days=ago) for ago in range(self.SHOWN)]
        return [*((str(day), f"{day:%a %-d %b}") for day in days), ("all", "All")]

    def choices(self, changelist: ChangeList) -> Any:
        for value, label in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: value})
            yield {"selected": self.wanted == value, "query_string": query, "display": label}

    @property
    def wanted(self) -> str:
        return self.value() or str(timezone.now().date())

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditLog]) -> QuerySet[AuditLog]:
        if self.wanted == "all":
            return queryset
        try:
            day = date.fromisoformat(self.wanted)
        except ValueError:
            return queryset.none()
        return queryset.filter(last_at__date=day)


class KindFilter(admin.SimpleListFilter):
    """The kinds there may be: asking the table which there are would read all of it."""

    title, parameter_name = "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, kind) for kind, (status, _) in KINDS.items() if status in REFUSALS] + [(LEFT_OUT, LEFT_OUT)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditLog]) -> QuerySet[AuditLog]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
    list_display = ["last_at", "who", "kind", "reason", "count", "about", "action_type", "detail", "request_id"]
    list_filter = [Today, KindFilter]
    list_select_related = ["user", "subject", "api_key"]
    ordering = ["-last_at", "id"]
    search_fields = [
        *("user__username__iexact", "subject__username__iexact", "subject__external_id__exact"),
        *("=request_id", "=address"),
    ]
    search_help_text = "A whole sign-in name, a site's own id of a player, a request id, or the hash of an address."

    def who(self, line: AuditLog) -> str:
        """A link to everything that this caller was refused."""
        if line.user_id:
            name, value, shown = "user", str(line.user_id), str(line.user or line.user_id)
        elif line.api_key_id:
            name, value, shown = "api_key", str(line.api_key_id), str(line.api_key or line.api_key_id)
        else:
            name, value, shown = "address", line.address, f"address {line.address[:8]}…" if line.address else ""
        return format_html('<a href="?day=all&amp;{}={}">{}</a>', name, value, shown)

    @admin.display(empty_value="")
    def about(self, line: AuditLog) -> str | None:
        return user_link(line.subject) if line.subject else None
