"""The REST shell of awards: parse, call, answer."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import attributes, players
from accounts.key_views import KEY, BackEndView
from accounts.models import ApiKey
from accounts.player_fields import ATTRIBUTES, Attributes, DescriptionSerializer, OpaqueId, PlayerId, UserReference
from accounts.players import Description
from actions import awards, batch, reversals
from actions.awards import MAX_AWARDS, Entry
from actions.metadata import Metadata
from actions.models import MAX_POINTS
from actions.problems import AwardIdReusedSerializer
from api.fields import Moment, StrictInteger, StrictText
from api.openapi import envelope, problems
from api.parsers import AwardsJSONParser, Lines, NDJSONParser, refuse_unstorable
from api.responses import ndjson, ok

AWARD_ID = OpenApiParameter(
    "award_id",
    {"type": "string", "format": "opaque-id", "minLength": 1, "maxLength": players.MAX_ID},
    OpenApiParameter.PATH,
    description="The site's own id of the deed, percent-encoded.",
)


class AwardSerializer(DescriptionSerializer):
    """A deed, whose it is, and how the player appears, which is written when given."""

    id = OpaqueId(max_length=players.MAX_ID, help_text="The site's own id of the deed: a repeat pays nothing.")
    player = PlayerId(
        required=False,
        max_length=players.MAX_ID,
        help_text="The site's own id of the player, who is made when seen for the first time. Or `user_id`.",
    )
    user_id = UserReference(required=False, help_text="A player who is here already. Or `player`.")
    action_type = StrictText(max_length=50)
    points = StrictInteger(required=False, min_value=1, max_value=MAX_POINTS, help_text="Default: the catalogue's.")
    value = StrictInteger(
        required=False, help_text="What was measured; of an action type that is a measure, and only then."
    )
    metadata = Metadata(
        required=False,
        help_text="What else there is to say: an object of 1 KiB and 5 levels at most; not compared in repeats.",
    )
    attributes = Attributes(required=False, judged=False, help_text=ATTRIBUTES)
    occurred_at = Moment(required=False, help_text="Shown in the history; decides nothing.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("player" in attrs) == ("user_id" in attrs):
            raise ValidationError({"player": ["Give `player` or `user_id`, exactly one of them."]})
        if "points" in attrs and "value" in attrs:
            raise ValidationError({"value": ["Give `points` or `value`: a measure gives no points."]})
        described = [name for name in ("name", "avatar", "attributes") if name in attrs]
        if described and "player" not in attrs:
            raise ValidationError(
                {name: ["Only with `player`: others are not yours to describe."] for name in described}
            )
        return attrs


class AwardedSerializer(serializers.Serializer[object]):
    id = serializers.CharField()
    player = serializers.CharField(allow_null=True)
    user_id = serializers.UUIDField()
    score_delta = serializers.IntegerField(help_text="0 of a measure.")
    value = serializers.IntegerField(allow_null=True, help_text="Of a measure.")
    new_score = serializers.IntegerField(help_text="After this award; of a repeat, after the first call.")
    rank = serializers.IntegerField(allow_null=True, help_text="Now; null while the board cannot be reached.")
    replayed = serializers.BooleanField(help_text="Whether it was recorded by an earlier call.")


class ReversedSerializer(serializers.Serializer[object]):
    id = serializers.CharField()
    player = serializers.CharField(allow_null=True)
    user_id = serializers.UUIDField()
    score_delta = serializers.IntegerField()
    new_score = serializers.IntegerField()
    rank = serializers.IntegerField(allow_null=True)
    reversed_at = serializers.DateTimeField()


@extend_schema_field(
    {
        "anyOf": [
            {"$ref": "#/components/schemas/AwardRequest"},
            {"description": "Anything else: its result has the status 400."},
        ]
    }
)
class AnyAward(serializers.JSONField):
    """An item of a batch: what is wrong with one does not refuse the others."""


class AwardBatchSerializer(serializers.Serializer[object]):
    """For the schema; `parse` reads the body, because each award is judged alone."""

    awards = serializers.ListField(child=AnyAward(), min_length=1, max_length=MAX_AWARDS)


class AwardResultSerializer(serializers.Serializer[object]):
    id = serializers.CharField(allow_null=True, help_text="As it came; null if it was no text that could be one.")
    status = serializers.IntegerField(help_text="The HTTP status this award would have had alone.")
    player = serializers.CharField(required=False, allow_null=True)
    user_id = serializers.UUIDField(required=False)
    score_delta = serializers.IntegerField(required=False)
    value = serializers.IntegerField(required=False, allow_null=True)
    new_score = serializers.IntegerField(required=False)
    rank = serializers.IntegerField(required=False, allow_null=True)
    replayed = serializers.BooleanField(required=False)
    type = serializers.CharField(required=False)
    title = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    errors = serializers.DictField(required=False, help_text="By field, for 400.")  # type: ignore[assignment]
    original = serializers.DictField(required=False)


class AwardResultsSerializer(serializers.Serializer[object]):
    results = AwardResultSerializer(many=True)


class AwardsView(BackEndView):
    scope = ApiKey.Scope.AWARD

    @extend_schema(
        operation_id="award",
        auth=KEY,
        summary="Give a player the points of a deed, once",
        description=(
            "201 when it is recorded; 200 with the first outcome and `replayed: true` for the same call again; 409 "
            "when `id` was used for another player, type, points or value."
        ),
        tags=["awards"],
        request=AwardSerializer,
        responses={
            200: envelope(AwardedSerializer()),
            201: envelope(AwardedSerializer()),
            **problems(400, 401, 403, 404, 409, 413, 415, 429, 503, conflict=AwardIdReusedSerializer),
        },
    )
    def post(self, request: Request) -> Response:
        entry = entry_of(AwardSerializer().run_validation(request.data))
        awards.record(self.caller(request).key, [entry])
        if entry.refusal:
            raise entry.refusal
        return ok(entry.answer, status=200 if entry.replayed else 201)


REVERSED: Any = {200: envelope(ReversedSerializer()), **problems(401, 403, 404, 409, 429, 503)}


class AwardView(BackEndView):
    scope = ApiKey.Scope.AWARD

    @extend_schema(
        operation_id="reverse_award",
        auth=KEY,
        summary="Take the points of an award back, once",
        description="A repeat gets the same answer. The id stays used.",
        tags=["awards"],
        parameters=[AWARD_ID],
        responses=REVERSED,
    )
    def delete(self, request: Request, award_id: str) -> Response:
        return ok(asdict(reversals.reverse(self.caller(request).key, award_id)))


class AwardBatchView(AwardView):
    parser_classes = (AwardsJSONParser, NDJSONParser)

    @extend_schema(
        operation_id="award_batch",
        auth=KEY,
        summary="Up to 1,000 awards, each judged alone",
        description=(
            "As JSON, or as `application/x-ndjson` with one award a line; answered in the same form and order. Each "
            "result has the `status` the award would have had alone. The key is charged for each entry."
        ),
        tags=["awards"],
        request={"application/json": AwardBatchSerializer, "application/x-ndjson": AwardSerializer},
        responses={
            (200, "application/json"): envelope(AwardResultsSerializer()),
            (200, "application/x-ndjson"): AwardResultSerializer,
            **problems(400, 401, 403, 413, 415, 429, 503),
        },
    )
    def post(self, request: Request) -> Response | HttpResponse:
        said = listed(request.data)
        self.caller(request).charge_batch(len(said))
        serializer = AwardSerializer()
        entries = [parse_one(serializer, value) for value in said]
        awards.record(self.caller(request).key, entries)
        results = [result(entry) for entry in entries]
        return ndjson(results) if isinstance(request.data, Lines) else ok({"results": results})

    @extend_schema(
        operation_id="reverse_award_called_batch",
        auth=KEY,
        summary="Take back the award whose id is `batch`",
        tags=["awards"],
        responses=REVERSED,
    )
    def delete(self, request: Request, award_id: str = "batch") -> Response:
        return super().delete(request, award_id)


def listed(body: Any) -> Sequence[Any]:
    """What is to be judged. Raises ValidationError when the envelope is wrong."""
    if not isinstance(body, Lines):
        if not isinstance(body, dict) or set(body) != {"awards"}:
            raise ValidationError({"awards": ["Send an object with the one field `awards`."]})
        body = body["awards"]
    if not isinstance(body, list) or not 1 <= len(body) <= MAX_AWARDS:
        raise ValidationError({"awards": [f"Send 1 to {MAX_AWARDS} awards."]})
    return body


def parse_one(serializer: AwardSerializer, value: Any) -> Entry:
    """One award; one that is malformed is refused already."""
    entry = Entry()
    try:
        if isinstance(value, ParseError):
            raise value
        refuse_unstorable(value)
        said = value.get("id") if isinstance(value, dict) else None
        entry.name = said[: players.MAX_ID] if isinstance(said, str) else None
        return entry_of(serializer.run_validation(value))
    except ValidationError as error:
        entry.refuse(error)
    except ParseError as error:
        entry.refuse(ValidationError({"award": [str(error.detail)]}))
    return entry


def entry_of(said: dict[str, Any]) -> Entry:
    described = {name: said[name] for name in ("name", "avatar") if name in said}
    good, wrong = attributes.judge(said["attributes"]) if "attributes" in said else (None, None)
    return Entry(
        id=said["id"],
        name=said["id"],
        action_type=said["action_type"],
        player=said.get("player"),
        user=said.get("user_id"),
        points=said.get("points"),
        value=said.get("value"),
        metadata=said.get("metadata"),
        occurred_at=said.get("occurred_at"),
        description=Description(**described, attributes=good),
        wrong=ValidationError({"attributes": wrong}) if wrong else None,
    )


def result(entry: Entry) -> dict[str, Any]:
    """One item of the results: the status the award would have had alone, and what would have come with it."""
    if entry.refusal is None:
        return {"status": 200 if entry.replayed else 201, **entry.answer}
    return {"id": entry.name, **batch.refused(entry.refusal)}
