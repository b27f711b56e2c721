"""Who did what in admin."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet

from accounts import exports
from accounts.admin.exportable import ExportableAdmin


@admin.register(LogEntry)
class LogEntryAdmin(ExportableAdmin):
    export_name, export_right = "admin-log", exports.AdminLogExportView.right
    export_columns = exports.ADMIN_LOG_COLUMNS
    list_display = ["action_time", "user", "object_repr", "action", "what", "content_type"]
    list_filter = ["action_flag", "action_time"]
    list_select_related = ["user", "content_type"]
    search_fields = ["user__username__iexact", "object_repr", "change_message"]

    def export_rows(self, found: QuerySet[LogEntry]) -> tuple[str, Any]:
        return exports.admin_log_rows(found)

    def action(self, entry: LogEntry) -> str:
        return entry.get_action_flag_display()

    def what(self, entry: LogEntry) -> str:
        return entry.get_change_message()
