"""What can fail when an action token is redeemed."""

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from api import problems
from api.openapi import ProblemSerializer

problems.declare(
    {
        "token-invalid": (403, "The action token is not valid"),
        "already-redeemed": (409, "The action token is already redeemed"),
        "token-expired": (410, "The action token has expired"),
        "too-early": (425, "Redeemed too early"),
        "not-yours-to-grant": (403, "This action type is not yours to grant"),
    }
)


class AlreadyRedeemedSerializer(ProblemSerializer):
    """409: `original` is what the first redemption did, so that a client that lost the reply can trust it."""

    original = inline_serializer(
        "Original",
        {
            "new_score": serializers.IntegerField(),
            "score_delta": serializers.IntegerField(),
            "redeemed_at": serializers.DateTimeField(),
        },
        required=False,
    )


class AwardIdReusedSerializer(ProblemSerializer):
    """409: with `id-reused`, `original` is what the award under this id did."""

    original = inline_serializer(
        "OriginalAward",
        {
            "user_id": serializers.UUIDField(),
            "action_type": serializers.CharField(),
            "score_delta": serializers.IntegerField(),
            "value": serializers.IntegerField(allow_null=True),
            "new_score": serializers.IntegerField(),
            "awarded_at": serializers.DateTimeField(),
        },
        required=False,
    )
