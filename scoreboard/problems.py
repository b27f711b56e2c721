"""What can fail when a score is changed."""

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from api import problems
from api.openapi import ProblemSerializer

problems.declare(
    {
        "score-out-of-range": (409, "The total would leave its range"),
        "id-reused": (409, "The id was used for something else"),
        "not-joinable": (409, "The board cannot be joined"),
        "slug-taken": (409, "There is a board with this slug"),
    }
)


class IdReusedSerializer(ProblemSerializer):
    """409: `original` is what the id was used for first."""

    original = inline_serializer(
        "OriginalBonus",
        {
            "action_id": serializers.UUIDField(),
            "user_id": serializers.UUIDField(),
            "points": serializers.IntegerField(),
            "reason": serializers.CharField(allow_blank=True),
            "boards": serializers.ListField(child=serializers.CharField(), help_text="Those it names."),
            "state": serializers.ChoiceField(choices=["paid", "waiting", "refused"]),
            "created_at": serializers.DateTimeField(),
        },
        required=False,
    )
