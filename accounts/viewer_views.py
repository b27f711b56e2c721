"""`POST /viewer-tokens`: parse, call, answer."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import players
from accounts.identity import viewer_tokens
from accounts.key_views import KEY, BackEndView
from accounts.models import ApiKey
from accounts.player_fields import PlayerId
from api.fields import StrictSerializer, parsed
from api.openapi import envelope, problems
from api.responses import ok


class ViewerSerializer(StrictSerializer):
    player = PlayerId(
        max_length=players.MAX_ID,
        help_text="The site's own id of the player, who is made when seen for the first time.",
    )


class ViewerTokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="For the player's page: `Authorization: Bearer …`, or `authenticate`.")
    expires_in = serializers.IntegerField(help_text="Seconds.")


class ViewerTokensView(BackEndView):
    scope = ApiKey.Scope.VIEWERS

    @extend_schema(
        operation_id="viewer_token",
        auth=KEY,
        summary="Get a token by which a player's page knows who is watching",
        description=(
            "With it the player sees the own row and score, and mints and redeems what players grant themselves. "
            "It is no sign-in here, and no call of staff takes it."
        ),
        tags=["players"],
        request=ViewerSerializer,
        responses={200: envelope(ViewerTokenSerializer()), **problems(400, 401, 403, 413, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        player = parsed(ViewerSerializer, request.data)["player"]
        return ok(asdict(viewer_tokens.make(self.caller(request).key, player)))
