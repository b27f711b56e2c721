"""Bodies of the action calls."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts import players
from accounts.player_fields import PlayerId, UserId
from actions.models import MAX_POINTS, Grant
from api.fields import StrictInteger, StrictSerializer, StrictText, StrictUUID, UnixTime


class MintSerializer(StrictSerializer):
    action_type = StrictText(max_length=50)


class BackEndMintSerializer(MintSerializer):
    """What a trusted back end sends: for whom, and how many points inside the type's bounds."""

    user_id = UserId(required=False)
    player = PlayerId(
        required=False,
        max_length=players.MAX_ID,
        help_text="Instead of `user_id`: the site's own id of its player, who is made when seen for the first time.",
    )
    points = StrictInteger(required=False, min_value=1, max_value=MAX_POINTS, help_text="Default: the catalogue's.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("player" in attrs) == ("user_id" in attrs):
            raise serializers.ValidationError({"user_id": ["Give `user_id` or `player`, exactly one of them."]})
        return attrs


class SubmissionSerializer(StrictSerializer):
    action_id = StrictUUID()
    action_type = StrictText(max_length=50)
    action_token = StrictText(max_length=2048)
    timestamp = UnixTime(
        help_text="Unix seconds, no further from the server's clock than the site allows: 300 s by default."
    )


class ActionTypeSerializer(serializers.Serializer[object]):
    action_type = serializers.CharField(source="slug")
    title = serializers.CharField()
    points = serializers.IntegerField(help_text="0 of a measure.")
    measure = serializers.BooleanField(help_text="Whether an award of it carries a `value` and gives no points.")
    token_lifetime = serializers.IntegerField(help_text="Seconds.")
    min_seconds = serializers.IntegerField(help_text="Seconds between minting and redeeming, at least.")
    max_per_hour = serializers.IntegerField(allow_null=True, help_text="Null: only the site's own limit applies.")
    cooldown = serializers.IntegerField(help_text="Seconds between two tokens that one player asks for, at least.")
    granted_by = serializers.ChoiceField(
        choices=Grant.values, help_text="Only of the type `player` a player gets a token for asking."
    )


class MintedSerializer(serializers.Serializer[object]):
    action_id = serializers.UUIDField()
    action_type = serializers.CharField()
    points = serializers.IntegerField()
    action_token = serializers.CharField(help_text="Compact JWS; hand it in unchanged.")
    issued_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class RedeemedSerializer(serializers.Serializer[object]):
    action_id = serializers.UUIDField()
    new_score = serializers.IntegerField()
    rank = serializers.IntegerField(allow_null=True, help_text="Null while the board cannot be reached.")
    score_delta = serializers.IntegerField()


@extend_schema_field(
    {
        "anyOf": [
            {"$ref": "#/components/schemas/SubmissionRequest"},
            {"description": "Anything else: its result has the status 400."},
        ]
    }
)
class AnyAction(serializers.JSONField):
    """An item of a batch: what is wrong with one does not refuse the others."""


class BatchSerializer(StrictSerializer):
    """For the schema; `batch.parse` reads the body, because each action is judged alone."""

    actions = serializers.ListField(child=AnyAction(), min_length=1, max_length=100)


class BatchResultSerializer(serializers.Serializer[object]):
    action_id = serializers.CharField(allow_null=True)
    status = serializers.IntegerField(help_text="The HTTP status this action would have had alone.")
    new_score = serializers.IntegerField(required=False)
    rank = serializers.IntegerField(required=False, allow_null=True)
    score_delta = serializers.IntegerField(required=False)
    type = serializers.CharField(required=False)
    title = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    errors = serializers.DictField(required=False, help_text="By field, for 400.")  # type: ignore[assignment]
    original = serializers.DictField(required=False)


class BatchResultsSerializer(serializers.Serializer[object]):
    results = BatchResultSerializer(many=True)


class QueuedSerializer(serializers.Serializer[object]):
    work_id = serializers.UUIDField()
    state = serializers.CharField()
    status_url = serializers.CharField()


@extend_schema_field(BatchResultSerializer(many=True))
class StoredResults(serializers.JSONField):
    """Given out as they are kept: a serializer would leave members out and add empty ones."""


class QueuedStatusSerializer(serializers.Serializer[object]):
    work_id = serializers.UUIDField(source="id")
    state = serializers.ChoiceField(choices=["queued", "done", "dead"])
    accepted_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    results = StoredResults(allow_null=True)
