"""`GET /score/{user_id}/history`: parse, read, answer."""

import uuid
from typing import Any, cast

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import PLAYER, PLAYER_AUTH, ApiKeyAuthentication, BackEnd
from accounts.key_views import demand, found
from accounts.models import ApiKey, User
from accounts.players import Reference
from api.fields import QueryInteger, StrictText
from api.openapi import envelope, problems
from api.problems import Problem
from api.query import Query
from api.views import ApiView
from scoreboard import named_boards
from scoreboard.history import MAX_PAGE, HistoryPages
from scoreboard.models import ScoreHistory

VIEW_ANY = "scoreboard.view_any_history"


@extend_schema_field({"type": "string", "format": "cursor", "minLength": 1, "maxLength": 200})
class CursorText(StrictText):
    """What `HistoryPages` makes and reads."""


def links() -> dict[str, serializers.URLField]:
    """Of an answer that comes in pages: what `HistoryPages.links` says."""
    return {name: serializers.URLField(allow_null=True) for name in ("next", "previous")}


class HistoryQuery(Query):
    cursor = CursorText(required=False, max_length=200, help_text="From `next` or `previous`.")
    page_size = QueryInteger(default=20, min_value=1, max_value=MAX_PAGE)


class ActorSerializer(serializers.Serializer[User]):
    user_id = serializers.UUIDField(source="pk")
    username = serializers.CharField(source="shown_name")


@extend_schema_field({"type": "object", "additionalProperties": True})
class Metadata(serializers.JSONField):
    """An object, as an award brought it."""


class HistoryEntrySerializer(serializers.Serializer[Any]):
    """`context["actors_shown"]`: players learn why, not who. Moderators are to be argued with, not hunted down."""

    id = serializers.IntegerField()
    action_id = serializers.UUIDField()
    source = serializers.ChoiceField(ScoreHistory.Source.choices)  # type: ignore[assignment]  # Field has a `source`
    action_type = serializers.CharField(help_text="Empty unless the source is an action, an award or its correction.")
    delta = serializers.IntegerField(help_text="0 of a measure.")
    value = serializers.IntegerField(allow_null=True, help_text="Of a measure, and of what takes one back.")
    old_total = serializers.IntegerField()
    new_total = serializers.IntegerField()
    reason = serializers.CharField(help_text="Empty for actions.")
    metadata = Metadata(allow_null=True, help_text="What else the site that awarded it says of the deed.")
    created_at = serializers.DateTimeField()
    occurred_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was done, as the site that awarded it says; decides nothing."
    )
    actor = serializers.SerializerMethodField(
        help_text="Who acted, if not the player; null to callers who may not read any history."
    )

    boards = serializers.SerializerMethodField(
        help_text="Null unless it names the boards it counts on; of those the ones that exist and that you may see."
    )

    @extend_schema_field({"type": "array", "items": {"type": "string"}, "nullable": True})
    def get_boards(self, entry: ScoreHistory) -> list[str] | None:
        known: dict[int, str] = self.context["boards"]
        return None if entry.boards is None else sorted(known[board] for board in entry.boards if board in known)

    @extend_schema_field(ActorSerializer(allow_null=True))
    def get_actor(self, entry: ScoreHistory) -> Any:
        if entry.actor is None or not self.context["actors_shown"]:
            return None
        return ActorSerializer(entry.actor).data


def may_read_any(user: User | BackEnd) -> bool:
    """Raises Problem forbidden for a key without the scope."""
    if isinstance(user, BackEnd):
        demand(user.key, ApiKey.Scope.READ)
        return True
    return user.has_perm(VIEW_ANY)


class HistoryView(ApiView):
    authentication_classes = (ApiKeyAuthentication, *PLAYER)
    accepts_api_keys = True
    query = HistoryQuery  # `HistoryPages` reads the same parameters, and takes what is wrong for the default

    @extend_schema(
        operation_id="score_history",
        auth=cast(Any, [*PLAYER_AUTH, {"apiKey": []}]),
        summary="What made a player's score, the newest first",
        description=(
            "One's own; anybody's with the permission `scoreboard.view_any_history`, or an API key with the scope "
            "`read`."
        ),
        tags=["board"],
        responses={
            200: envelope(
                HistoryEntrySerializer(many=True),
                **links(),
            ),
            **problems(400, 401, 403, 404, 429, 503),
        },
    )
    def get(self, request: Request, user_id: uuid.UUID | Reference) -> Response:
        user = cast(User | BackEnd, request.user)
        any_history, user_id = may_read_any(user), found(request, user_id)
        if user.pk != user_id and not any_history:
            raise Problem("forbidden", "Only your own history is open to you.")
        if user.pk != user_id and not User.objects.filter(pk=user_id).exists():
            raise Problem("not-found", "There is no such player.")
        entries = ScoreHistory.objects.filter(user_id=user_id).select_related("actor")
        pages = HistoryPages()
        page = pages.paginate_queryset(entries, request, self) or []
        context = {"actors_shown": any_history, "boards": named_boards.slugs(page, hidden=any_history)}
        shown = HistoryEntrySerializer(page, many=True, context=context)
        return Response(
            {"success": True, "data": shown.data, **pages.links()}, headers={"Cache-Control": "private, no-store"}
        )
