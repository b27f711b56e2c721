"""Every route of the site."""

from functools import cache

from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from api.views import ApiView
from config.security_txt import security_txt


class SchemaView(ApiView):
    """The same for everybody, and a tenth of a second's work: made once by each process."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        headers = {"Cache-Control": "public, max-age=300"}
        return HttpResponse(openapi_document(), content_type="application/vnd.oai.openapi", headers=headers)


@cache
def openapi_document() -> bytes:
    """OpenAPI in YAML, as docs/openapi.yaml has it."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    document: bytes = OpenApiYamlRenderer().render(schema)  # type: ignore[no-untyped-call]
    return document


urlpatterns = [
    path("api/v1/", include("actions.urls")),
    path("api/v1/", include("leaderboard.urls")),
    path("api/v1/", include("scoreboard.urls")),
    path("api/v1/", include("accounts.urls")),
    path("api/v1/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("admin/", include("overview.urls")),
    path("admin/", admin.site.urls),
    path(".well-known/security.txt", security_txt),
    path("", include("leaderboard.page_urls")),
    path("", include("actions.page_urls")),
    path("", include("accounts.page_urls")),
]

handler400 = "api.error_pages.bad_request"
handler403 = "api.error_pages.forbidden"
handler404 = "api.error_pages.not_found"
handler500 = "api.error_pages.server_error"
