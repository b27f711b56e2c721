"""Revealing a frozen board over the API; what it does is in scoreboard/freezing.py."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.fields import StrictInteger, StrictSerializer, UnixTime
from api.openapi import envelope, problems
from api.query import Query
from api.responses import ok
from leaderboard.board_views import EDITORS, OWN_SLUG, RulesView, actor_of, refuse_global
from scoreboard import freezing


class Seconds(UnixTime):
    """A JSON number, and nothing that could be made into one."""


class RevealSerializer(StrictSerializer):
    pace = Seconds(
        min_value=freezing.PACES[0], max_value=freezing.PACES[1], help_text="Seconds from one step to the next."
    )
    changes = StrictInteger(
        min_value=1, max_value=freezing.MAX_CHANGES, default=1, help_text="Entries that each step lets count."
    )


class RevealView(RulesView):
    query = Query

    @extend_schema(
        operation_id="reveal_board",
        auth=EDITORS,
        summary="Reveal a frozen board, step by step",
        description="Plays what the board holds back in its order, the same on every screen, and then it goes on "
        "as any board. Called again, it takes another pace. A board's `freeze_at` set to null shows all at once.",
        tags=["boards"],
        parameters=[OWN_SLUG],
        request=RevealSerializer,
        responses={202: envelope(RevealSerializer()), **problems(400, 401, 403, 404, 413, 415, 429, 503)},
    )
    def put(self, request: Request, slug: str) -> Response:
        refuse_global(slug)
        body = RevealSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        freezing.reveal_by(slug, actor_of(request), **body.validated_data)
        return ok(body.validated_data, status=202)
