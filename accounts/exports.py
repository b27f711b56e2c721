"""Who may have whole tables as a file, over the API and in admin; and the files of what was refused and done."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.admin import site as admin_site
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db.models import Case, QuerySet, Value, When
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.authentication import AccountSessionAuthentication, ApiKeyAuthentication, BackEnd
from accounts.key_views import demand
from accounts.models import ApiKey, AuditLog
from api import exports
from api.openapi import problems
from api.throttles import charge, hit
from api.views import ApiView

F = TypeVar("F", bound=Callable[..., Any])

AUTH: Any = [{"apiKey": []}, {"session": []}]
ANSWERS: Any = {
    (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR),
    (200, "application/json"): OpenApiResponse(OpenApiTypes.OBJECT),
    **problems(401, 403, 404, 429, 503),
}
EXTENSION = OpenApiParameter("extension", {"type": "string", "enum": list(exports.FORMATS)}, OpenApiParameter.PATH)
# Name in the file → field.
AUDIT_COLUMNS = {
    "last_at": "last_at",
    "first_at": "first_at",
    "kind": "kind",
    "reason": "reason",
    "count": "count",
    "user_id": "user_id",
    "api_key": "api_key__name",
    "address_hash": "address",
    "subject_id": "subject_id",
    "action_type": "action_type",
    "request_id": "request_id",
    "detail": "detail",
}


ADMIN_LOG_COLUMNS = {
    "at": "action_time",
    "user_id": "user_id",
    "username": "user__username",
    "action": "action",
    "kind": "content_type__model",
    "object_id": "object_id",
    "object": "object_repr",
    "message": "change_message",
}


def export_schema(operation_id: str, summary: str, *statuses: int) -> Callable[[F], F]:
    """How OpenAPI describes an export; `statuses`: of problems that not every export has."""
    return extend_schema(
        operation_id=operation_id,
        auth=AUTH,
        summary=summary,
        tags=["exports"],
        parameters=[EXTENSION],
        responses={**ANSWERS, **problems(*statuses)},
    )


def charge_export(who: Any) -> None:
    """LIMIT_EXPORT, for each user or key. Raises Problem rate-limited."""
    hit(charge("export", str(who)))


class MayExport(BasePermission):
    """A key with the scope `read`; or a user with the `right` whom the admin site lets in, second factor and all."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.user, BackEnd):
            demand(request.user.key, ApiKey.Scope.READ)
            return True
        right: str = view.right  # type: ignore[attr-defined]
        return admin_site.has_permission(request._request) and request.user.has_perm(right)


class ExportView(ApiView):
    """`right`: the permission that lets a member of staff export this; the one that shows it in admin."""

    authentication_classes = (AccountSessionAuthentication, ApiKeyAuthentication)
    permission_classes = (MayExport,)
    accepts_api_keys = True
    right: str

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        charge_export(request.user.pk)


def audit_rows(found: QuerySet[AuditLog]) -> tuple[str, Any]:
    """These lines, the newest first."""
    return exports.selected(found.order_by("-last_at", "id"), AUDIT_COLUMNS.values())


class AuditExportView(ExportView):
    right = "accounts.view_auditlog"

    @export_schema("export_audit", "What was refused, and to whom, as a file")
    def get(self, request: Request, extension: str) -> StreamingHttpResponse:
        return exports.response("audit", extension, list(AUDIT_COLUMNS), audit_rows(AuditLog.objects.all()))


def admin_log_rows(found: QuerySet[LogEntry]) -> tuple[str, Any]:
    """These entries, the newest first. `message` is as Django stores it, JSON or a sentence."""
    action = Case(
        When(action_flag=ADDITION, then=Value("add")),
        When(action_flag=CHANGE, then=Value("change")),
        default=Value("delete"),
    )
    named = found.annotate(action=action).order_by("-action_time", "-id")
    return exports.selected(named, ADMIN_LOG_COLUMNS.values())


class AdminLogExportView(ExportView):
    right = "admin.view_logentry"

    @export_schema("export_admin_log", "Who did what in admin, as a file")
    def get(self, request: Request, extension: str) -> StreamingHttpResponse:
        return exports.response("admin-log", extension, list(ADMIN_LOG_COLUMNS), admin_log_rows(LogEntry.objects.all()))
