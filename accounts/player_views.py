"""The REST shell of the players of a site that has its own users: parse, call, answer."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import players, privacy
from accounts.key_views import KEY, BackEndView
from accounts.models import ApiKey, User
from accounts.player_fields import DescriptionSerializer, OpaqueId
from api.fields import QueryInteger, StrictBoolean, parsed
from api.openapi import envelope, problems
from api.query import Query
from api.responses import ok

MAX_PAGE = 1000
READABLE = "For keys with the scope `players`, or `read`, which is not told private attributes."
PLAYER = OpenApiParameter(
    "player",
    {"type": "string", "format": "opaque-id", "minLength": 1, "maxLength": players.MAX_ID},
    OpenApiParameter.PATH,
    description="The site's own id of the player, percent-encoded.",
)


class PlayerSerializer(DescriptionSerializer):
    """The body of PUT."""

    opted_out = StrictBoolean(required=False, help_text="On no board, by the wish of the player or of the site.")


class PlayerDocumentSerializer(serializers.Serializer[Any]):
    player = serializers.CharField(help_text="The site's own id.")
    user_id = serializers.UUIDField()
    name = serializers.CharField(allow_null=True)
    avatar = serializers.CharField(allow_null=True)
    attributes = serializers.DictField()
    opted_out = serializers.BooleanField()
    hidden = serializers.BooleanField(help_text="By a moderator; no call changes it.")
    disabled = serializers.BooleanField(help_text="By a moderator; awards are refused.")
    created_at = serializers.DateTimeField()


class PlayersQuery(Query):
    after = OpaqueId(required=False, max_length=players.MAX_ID, help_text="The last id of the page before.")
    limit = QueryInteger(default=100, min_value=1, max_value=MAX_PAGE)


class AboutPlayersView(BackEndView):
    scope = ApiKey.Scope.PLAYERS

    def shown(self, request: Request, user: User) -> dict[str, Any]:
        """What this caller is told: private attributes only to keys that may write them."""
        return players.shown(user, private=self.scope in self.caller(request).key.scopes)


class PlayersView(AboutPlayersView):
    query = PlayersQuery

    @extend_schema(
        operation_id="players",
        auth=KEY,
        summary="The players of the key's provider, in the order of their ids",
        description=READABLE,
        tags=["players"],
        responses={
            200: envelope(
                PlayerDocumentSerializer(many=True),
                next=serializers.CharField(allow_null=True, help_text="As `after`."),
            ),
            **problems(400, 401, 403, 429, 503),
        },
    )
    def get(self, request: Request) -> Response:
        limit = self.asked["limit"]
        found = players.page(self.provider(request), self.asked.get("after", ""), limit)
        data = PlayerDocumentSerializer([self.shown(request, user) for user in found], many=True).data
        last = found[-1].external_id if len(found) == limit else None
        return Response({"success": True, "data": data, "next": last})


class PlayerView(AboutPlayersView):
    @extend_schema(
        operation_id="player",
        auth=KEY,
        summary="One player of the key's provider",
        description=READABLE,
        tags=["players"],
        parameters=[PLAYER],
        responses={200: envelope(PlayerDocumentSerializer()), **problems(401, 403, 404, 429, 503)},
    )
    def get(self, request: Request, player: str) -> Response:
        return ok(PlayerDocumentSerializer(self.shown(request, players.get(self.provider(request), player))).data)

    @extend_schema(
        operation_id="put_player",
        auth=KEY,
        summary="Say how a player appears, or make one",
        description="What is left out stays as it is. No call undoes what a moderator did.",
        tags=["players"],
        parameters=[PLAYER],
        request=PlayerSerializer,
        responses={200: envelope(PlayerDocumentSerializer()), **problems(400, 401, 403, 404, 413, 415, 429, 503)},
    )
    def put(self, request: Request, player: str) -> Response:
        if not request.body:
            raise serializers.ValidationError("Expected a JSON object, an empty one to make the player.")
        try:
            players.checked_player(player)
        except ValueError as error:
            raise serializers.ValidationError({"player": [str(error)]}) from error
        description = players.Description(**parsed(PlayerSerializer, request.data))
        found = players.put(self.provider(request), player, description)
        return ok(PlayerDocumentSerializer(self.shown(request, found)).data)

    @extend_schema(
        operation_id="erase_player",
        auth=KEY,
        summary="Erase a player, for good",
        description="The history's figures stay, under an id that belongs to no person. The id starts a new player.",
        tags=["players"],
        parameters=[PLAYER],
        responses={204: None, **problems(401, 403, 404, 429, 503)},
    )
    def delete(self, request: Request, player: str) -> Response:
        privacy.erase_now(players.get(self.provider(request), player).pk)
        return Response(status=204)
