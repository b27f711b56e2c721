"""Users in admin as the write side knows them: with their scores, which can be adjusted."""

from typing import Any

from django.contrib import admin
from django.db.models import F, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse

from accounts.admin.users import UserAdmin
from accounts.models import User
from scoreboard.admin.adjust import AdjustScores

SCORE = ("total", "history_sum", "reached_at")


class PlayerAdmin(AdjustScores):
    fieldsets = [
        (title, {**options, "fields": [*SCORE, *options["fields"]]} if title == "Board" else options)
        for title, options in UserAdmin.fieldsets
    ]
    readonly_fields = [*SCORE, *UserAdmin.readonly_fields]
    list_display = ["name", "total", *UserAdmin.list_display[1:]]
    list_select_related = ["score"]
    actions = ["adjust_scores", *UserAdmin.actions]
    change_form_template = "admin/scoreboard/player.html"

    def get_ordering(self, request: HttpRequest) -> list[str | Combinable]:
        return [F("score__total").desc(nulls_last=True), "username"]

    @admin.display(ordering=Coalesce("score__total", 0))
    def total(self, user: User) -> int:
        return user.score.total if hasattr(user, "score") else 0

    @admin.display(description="Sum of history")
    def history_sum(self, user: User) -> str:
        """Not the total only if the tables were written past the ledger."""
        found = int(user.history.aggregate(found=Sum("delta"))["found"] or 0)
        return str(found) if found == self.total(user) else f"{found}, but the total is {self.total(user)}"

    def reached_at(self, user: User) -> str:
        return f"{user.score.reached_at:%Y-%m-%d %H:%M:%S.%f} UTC" if hasattr(user, "score") else "never"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"may_adjust": self.has_adjust_permission(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)
