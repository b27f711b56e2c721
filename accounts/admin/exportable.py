"""Lists that staff can take away as a file, with the filters they have set."""

from collections.abc import Mapping
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from accounts.admin.records import ReadOnlyAdmin
from accounts.exports import charge_export
from api import exports
from api.problems import Problem, note


class ExportableAdmin(ReadOnlyAdmin):
    """`export_right`: the permission it takes, which may be more than looking does. `export_columns`: name in the file
    → field."""

    change_list_template = "admin/accounts/exportable.html"
    export_name: str
    export_right: str
    export_columns: Mapping[str, str]

    def export_rows(self, found: QuerySet[Any]) -> tuple[str, Any]:
        """The query of these rows, in the order of the file."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export.<extension:extension>", view, name=name), *super().get_urls()]

    def export_view(self, request: HttpRequest, extension: str) -> HttpResponseBase:
        if not request.user.has_perm(self.export_right):
            raise PermissionDenied
        try:
            listed = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters as error:
            raise BadRequest("The filter cannot be read.") from error
        try:
            charge_export(request.user.pk)
        except Problem as refusal:
            note(refusal)
            return HttpResponse(
                refusal.sentence, status=refusal.status_code, headers=refusal.headers, content_type="text/plain"
            )
        return exports.response(self.export_name, extension, list(self.export_columns), self.export_rows(listed))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        context = {"may_export": request.user.has_perm(self.export_right), **(extra_context or {})}
        return super().changelist_view(request, context)
