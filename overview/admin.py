"""The first page of admin: how the site is, what was scored today against the same weekday of last week."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from accounts.admin.records import ReadOnlyAdmin
from overview import charts, figures, state
from overview.models import Notice

HOURS = [f"{hour:02}:00" for hour in range(24)]

django_index = admin.site.index


def index(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    return django_index(request, {"tiles": state.tiles(request), **scored(request), **(extra_context or {})})


def scored(request: HttpRequest) -> dict[str, Any]:
    """Charts, for those who see everybody's totals."""
    if not request.user.has_perm("scoreboard.view_userscore"):
        return {}
    found = figures.lately.get()
    today, before = found.today, found.before
    drawn = [
        ("Points by type", "Type", today.types, before.types),
        ("Points by key", "Key", today.keys, before.keys),
    ]
    if request.user.has_perm("accounts.view_auditlog"):
        drawn.append(("Refusals by reason", "Reason", today.refusals, before.refusals))
    return {
        "found": found,
        "totals": [
            charts.bars("", "", [("Players active", today.players, before.players)]).rows[0],
            charts.bars("", "", [("Points", today.points, before.points)]).rows[0],
        ],
        "hours": charts.columns(
            [(HOURS[hour], today.hours[hour], before.hours[hour]) for hour in range(found.at.hour + 1)], HOURS
        ),
        "charts": [charts.bars(title, head, figures.side_by_side(now, then)) for title, head, now, then in drawn],
    }


admin.site.index = index  # type: ignore[method-assign, assignment]
admin.site.index_template = "admin/overview/index.html"
admin.site.index_title = "Overview"


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ["made_at", "cause", "sentence", "mailed_at"]
    list_filter = ["cause", "made_at"]
    ordering = ["-made_at", "-pk"]
