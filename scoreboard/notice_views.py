"""`GET /me/notices`: what closed periods gave the player."""

from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import PLAYER, PLAYER_AUTH
from accounts.models import User
from api.openapi import envelope, problems
from api.views import ApiView
from scoreboard import closing
from scoreboard.history import HistoryPages
from scoreboard.history_views import HistoryQuery, links


class NoticeSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    board = serializers.CharField(help_text="Its slug; `<slug>.<value>` of a board with one for each value.")
    period = serializers.CharField(source="period.key", help_text="The key of the period that was closed.")
    rank = serializers.IntegerField(help_text="The player's final rank in it.")
    text = serializers.CharField()
    created_at = serializers.DateTimeField()


class MyNoticesView(ApiView):
    authentication_classes = PLAYER
    query = HistoryQuery

    @extend_schema(
        operation_id="my_notices",
        auth=PLAYER_AUTH,
        summary="What closed periods gave me, the newest first",
        tags=["board"],
        responses={
            200: envelope(
                NoticeSerializer(many=True),
                **links(),
            ),
            **problems(400, 401, 429, 503),
        },
    )
    def get(self, request: Request) -> Response:
        pages = HistoryPages()
        page = pages.paginate_queryset(closing.notices(cast(User, request.user)), request, self)
        body = {"success": True, "data": NoticeSerializer(page or [], many=True).data, **pages.links()}
        return Response(body, headers={"Cache-Control": "private, no-store"})
