"""`POST /score/bonus`: parse, call, answer."""

import re
import uuid
from dataclasses import asdict
from typing import Any, cast

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import (
    PLAYER_AUTH,
    AccountJWTAuthentication,
    AccountSessionAuthentication,
    ApiKeyAuthentication,
    BackEnd,
)
from accounts.key_views import demand
from accounts.models import ApiKey
from accounts.player_fields import UserId
from api.fields import StrictInteger, StrictSerializer, StrictText
from api.openapi import envelope, problems
from api.responses import ok
from api.views import ApiView
from scoreboard import bonus, named_boards
from scoreboard.bonus import Waiting
from scoreboard.models import MAX_BONUS
from scoreboard.problems import IdReusedSerializer

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": 500, "pattern": r"\S"})
class Reason(StrictText):
    """What the player will read; a blank says nothing."""


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 32},
        "minItems": 1,
        "maxItems": named_boards.MOST,
        "uniqueItems": True,
    }
)
class Slugs(serializers.ListField):
    """Of boards, each once."""

    def to_internal_value(self, data: Any) -> Any:
        slugs = super().to_internal_value(data)
        if len(set(slugs)) < len(slugs):
            raise serializers.ValidationError("Name each board once.")
        return slugs


class BonusSerializer(StrictSerializer):
    user_id = UserId()
    points = StrictInteger(min_value=1, max_value=MAX_BONUS)
    reason = Reason(max_length=500)
    boards = Slugs(
        required=False,
        child=StrictText(max_length=32),
        min_length=1,
        max_length=named_boards.MOST,
        help_text="The boards it counts on, besides `global`; without it those that sum up all points of all time.",
    )

    def validate_reason(self, reason: str) -> str:
        if not reason.strip():
            raise serializers.ValidationError("A reason is needed.")
        return reason


class GivenSerializer(serializers.Serializer[Any]):
    action_id = serializers.UUIDField()
    new_score = serializers.IntegerField()
    rank = serializers.IntegerField(allow_null=True)
    score_delta = serializers.IntegerField()


class WaitingSerializer(serializers.Serializer[Any]):
    action_id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=["waiting"])


class MayGiveBonus(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.user, BackEnd):
            demand(request.user.key, ApiKey.Scope.BONUS)
            return True
        return request.user.is_authenticated and request.user.has_perm("scoreboard.give_bonus")


class BonusView(ApiView):
    authentication_classes = (ApiKeyAuthentication, AccountJWTAuthentication, AccountSessionAuthentication)
    permission_classes = (MayGiveBonus,)
    accepts_api_keys = True

    @extend_schema(
        operation_id="give_bonus",
        auth=cast(Any, [*PLAYER_AUTH, {"apiKey": []}]),
        summary="Give a player bonus points",
        description=(
            "Needs the permission `scoreboard.give_bonus`, or an API key with the scope `bonus`. A repeat with the "
            "same Idempotency-Key pays once. Beyond what a user, or a key with its successors, gives alone in 24 "
            "hours (BONUS_DAILY) the answer is 202: the bonus waits for a second person, and a repeat tells what has "
            "become of it."
        ),
        tags=["moderation"],
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
                OpenApiParameter.HEADER,
                required=True,
            )
        ],
        request=BonusSerializer,
        responses={
            200: envelope(GivenSerializer()),
            202: envelope(WaitingSerializer()),
            **problems(400, 401, 403, 404, 409, 413, 415, 429, 503, conflict=IdReusedSerializer),
        },
    )
    def post(self, request: Request) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if not IDEMPOTENCY_KEY.fullmatch(key):
            raise serializers.ValidationError(
                {"Idempotency-Key": ["Send this header: 1 to 255 visible ASCII characters."]}
            )
        body = BonusSerializer(data=request.data, context={"request": request})
        body.is_valid(raise_exception=True)
        giver = request.user.key.actor_id if isinstance(request.user, BackEnd) else request.user.pk
        hidden = named_boards.sees_hidden(request.user, named_boards.KNOWERS)
        given = bonus.give(cast(uuid.UUID, giver), key, **body.validated_data, hidden=hidden)
        return ok(asdict(given), status=202 if isinstance(given, Waiting) else 200)
