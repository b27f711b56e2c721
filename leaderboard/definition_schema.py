"""The words in which boards are defined over the API, as OpenAPI describes them, and the document that says them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from scoreboard import board_checks
from scoreboard.board_checks import MAX_RANKS, MAX_TIER, MAX_TIERS
from scoreboard.models import Board as Rule

PERIODIC = ["all", "daily", "weekly", "monthly", "yearly"]
MAX_DAYS = 366
UNITS = ["player"]  # `team` is reserved
ATTEMPTS = "Of each player so many entries of a period count, the first that are not taken back; null: all."

DAYS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "days": {"type": "integer", "minimum": 1, "maximum": MAX_DAYS},
        "from": {"type": "string", "format": "date", "description": "A day on which one of the periods begins."},
    },
    "required": ["days", "from"],
    "additionalProperties": False,
}
FIXED_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {name: {"type": "string", "format": "date-time"} for name in ("from", "to")},
    "required": ["from", "to"],
    "additionalProperties": False,
}
WINDOW_SCHEMA = {"oneOf": [{"type": "string", "enum": PERIODIC}, DAYS_SCHEMA, FIXED_SCHEMA]}
ATTRIBUTE_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 32}
WHO_SCHEMA = {
    "oneOf": [
        {"type": "null"},
        {
            "type": "object",
            "properties": {
                "attribute": ATTRIBUTE_SCHEMA,
                "value": {"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer"}, {"type": "boolean"}]},
            },
            "required": ["attribute", "value"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"attribute": ATTRIBUTE_SCHEMA, "each": {"type": "boolean", "const": True}},
            "required": ["attribute", "each"],
            "additionalProperties": False,
        },
    ]
}
TIER_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_TIER}
TIERS_SCHEMA = {
    "type": "array",
    "maxItems": MAX_TIERS,
    "items": {
        "oneOf": [
            {
                "type": "object",
                "properties": {"name": TIER_NAME, kind: {"type": "integer", "minimum": 1, "maximum": most}},
                "required": ["name", kind],
                "additionalProperties": False,
            }
            for kind, most in (("ranks", MAX_RANKS), ("percent", 100))
        ]
    },
}
CLOSE_SCHEMA: dict[str, Any] = {
    "type": "array",
    "maxItems": board_checks.MOST_GIVEN,
    "items": {
        "type": "object",
        "properties": {
            "ranks": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": board_checks.LAST_GIVEN},
                "minItems": 2,
                "maxItems": 2,
                "description": "From the first to the last of them.",
            },
            "notice": {
                "type": "string",
                "minLength": 1,
                "maxLength": board_checks.MAX_NOTICE,
                "description": "Each of these players is told this.",
            },
            "webhook": {"type": "boolean", "description": "A `scoreboard.period_closed` has them."},
        },
        "required": ["ranks"],
        "additionalProperties": False,
    },
}


class PeriodSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="all, 2026, 2026-11, 2026-W47 or 2026-11-26.")
    starts_at = serializers.DateTimeField(allow_null=True, help_text="Null: from the beginning.")
    ends_at = serializers.DateTimeField(allow_null=True, help_text="Null: it does not end.")


class PastPeriodSerializer(PeriodSerializer):
    state = serializers.ChoiceField(choices=["open", "counting", "closing", "closed"])
    closed_at = serializers.DateTimeField(allow_null=True)
    players = serializers.IntegerField(allow_null=True, help_text="With a final rank; null until it is closed.")


class CountedSerializer(serializers.Serializer[Any]):
    types = serializers.ListField(child=serializers.CharField())
    sources = serializers.ListField(child=serializers.CharField())


@extend_schema_field(WINDOW_SCHEMA)
class SaidWindow(serializers.JSONField):
    pass


@extend_schema_field(WHO_SCHEMA)
class SaidWho(serializers.JSONField):
    pass


@extend_schema_field(TIERS_SCHEMA)
class SaidTiers(serializers.JSONField):
    pass


@extend_schema_field(CLOSE_SCHEMA)
class SaidClose(serializers.JSONField):
    pass


class BoardDocumentSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    visibility = serializers.ChoiceField(choices=Rule.Visibility.values)
    paused = serializers.BooleanField()
    window = SaidWindow()
    zone = serializers.CharField()
    opens_at = serializers.DateTimeField(allow_null=True)
    closes_at = serializers.DateTimeField(allow_null=True)
    freeze_at = serializers.DateTimeField(allow_null=True)
    counts = CountedSerializer(help_text="Empty lists: all.")
    who = SaidWho(help_text="Null: everyone.")
    unit = serializers.ChoiceField(choices=UNITS)
    entry = serializers.ChoiceField(choices=Rule.Entry.values, help_text="join: of players who have joined.")
    value = serializers.ChoiceField(choices=Rule.Value.values)
    order = serializers.ChoiceField(choices=Rule.Order.values)
    attempts = serializers.IntegerField(allow_null=True, help_text=ATTEMPTS)
    ties = serializers.ChoiceField(choices=Rule.Ties.values)
    tiers = SaidTiers(help_text="Names of the best ranks; empty: none.")
    close = SaidClose()
    archive = serializers.IntegerField(allow_null=True, help_text="Closed periods that are offered; null: all.")
    state = serializers.ChoiceField(choices=["open", "counting", "frozen", "upcoming", "closed", "paused", "empty"])
    period = PeriodSerializer(allow_null=True, help_text="The current one.")
    next_reset = serializers.DateTimeField(allow_null=True, help_text="When the next period begins, if one does.")
    parts = serializers.ListField(
        child=serializers.CharField(), help_text="Values that have a board of their own: `<slug>.<value>`."
    )
