"""The score history as a file."""

from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from rest_framework.request import Request

from accounts.exports import ExportView, export_schema
from api import exports
from api.fields import QueryInteger
from api.query import Query
from scoreboard import named_boards
from scoreboard.models import ScoreHistory

# Name in the file → field.
COLUMNS = {
    "id": "id",
    "created_at": "created_at",
    "user_id": "user_id",
    "provider": "user__provider",
    "external_id": "user__external_id",
    "username": "user__username",
    "display_name": "user__display_name",
    "delta": "delta",
    "value": "value",
    "old_total": "old_total",
    "new_total": "new_total",
    "source": "source",
    "action_type": "action_type",
    "action_id": "action_id",
    "occurred_at": "occurred_at",
    "actor_id": "actor_id",
    "reason": "reason",
    "boards": "board_slugs",
    "request_id": "request_id",
}


def query(found: QuerySet[ScoreHistory]) -> tuple[str, Any]:
    """These entries, the oldest first."""
    named = found.annotate(board_slugs=named_boards.SLUGS)
    return exports.selected(named.order_by("id"), COLUMNS.values())


class HistoryExportQuery(Query):
    after = QueryInteger(default=0, min_value=0, max_value=2**63 - 1, help_text="Only entries with a greater id.")


class HistoryExportView(ExportView):
    right = "scoreboard.view_scorehistory"
    query = HistoryExportQuery

    @export_schema("export_history", "The score history of all players, as a file", 400)
    def get(self, request: Request, extension: str) -> StreamingHttpResponse:
        found = ScoreHistory.objects.filter(pk__gt=self.asked["after"])
        return exports.response("history", extension, list(COLUMNS), query(found))
