"""What was refused, and to whom: the list of the audit log in admin."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from accounts import exports
from accounts.admin.exportable import ExportableAdmin
from accounts.admin.records import user_link
from accounts.audit import NO_PROBLEMS
from accounts.models import AuditLog
from api.problems import KINDS, REFUSALS


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
            starts = datetime.combine(date.fromisoformat(self.wanted), time.min, UTC)
            return queryset.filter(last_at__gte=starts, last_at__lt=starts + timedelta(days=1))
        except (ValueError, OverflowError):
            return queryset.none()


class KindFilter(admin.SimpleListFilter):
    """The kinds there may be: asking the table which there are would read all of it."""

    title, parameter_name = "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        refused = [kind for kind, (status, _) in KINDS.items() if status in REFUSALS]
        return [(kind, kind) for kind in (*refused, *NO_PROBLEMS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditLog]) -> QuerySet[AuditLog]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(AuditLog)
class AuditLogAdmin(ExportableAdmin):
    export_name, export_right = "audit", exports.AuditExportView.right
    export_columns = exports.AUDIT_COLUMNS
    list_display = ["last_at", "who", "kind", "reason", "count", "about", "action_type", "detail", "request_id"]
    list_filter = [Today, KindFilter]
    linked = ["user", "api_key", "address"]
    list_select_related = ["user", "subject", "api_key"]
    ordering = ["-last_at", "id"]
    search_fields = [
        *("user__username__iexact", "subject__username__iexact", "subject__external_id__exact"),
        *("=request_id", "=address"),
    ]
    search_help_text = "A whole sign-in name, a site's own id of a player, a request id, or the hash of an address."

    def export_rows(self, found: QuerySet[AuditLog]) -> tuple[str, Any]:
        return exports.audit_rows(found)

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
