"""Every route of the site."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from api.metrics import metrics_view
from api.views import ApiView
from config import health


class SchemaView(ApiView, SpectacularAPIView):
    """Made anew for every request, so it counts as one."""


urlpatterns = [
    path("api/v1/", include("actions.urls")),
    path("api/v1/", include("leaderboard.urls")),
    path("api/v1/", include("scoreboard.urls")),
    path("api/v1/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("admin/", admin.site.urls),
    path("", include("leaderboard.page_urls")),
    path("", include("actions.page_urls")),
    path("", include("scoreboard.page_urls")),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics_view),
]

handler400 = "api.problems.bad_request"
handler404 = "api.problems.not_found"
handler500 = "api.problems.server_error"
