"""The words in which boards are defined over the API, read into the fields of a rule."""

from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.fields import Moment, StrictBoolean, StrictInteger, StrictSerializer, StrictText
from leaderboard.definition_schema import (
    ATTEMPTS,
    CLOSE_SCHEMA,
    MAX_DAYS,
    PERIODIC,
    TIERS_SCHEMA,
    UNITS,
    WHO_SCHEMA,
    WINDOW_SCHEMA,
)
from scoreboard import board_checks, board_rules
from scoreboard.board_checks import EACH, EARLIEST
from scoreboard.models import Board as Rule
from scoreboard.models.boards import MAX_ATTEMPTS, SOURCES

MAX_TYPES, MAX_TYPE = 100, 50
SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"

# Which field of a definition says what a field of the rule holds.
SAID_BY = {
    "every_days": "window",
    "starts_on": "window",
    "action_types": "counts.types",
    "sources": "counts.sources",
    "attribute": "who.attribute",
    "attribute_value": "who.value",
}


def refused(**wrong: str) -> serializers.ValidationError:
    return serializers.ValidationError({name.rstrip("_"): [sentence] for name, sentence in wrong.items()})


def strict(data: Any, *names: str) -> dict[str, Any]:
    """An object with these names and no other. Raises ValidationError."""
    if not isinstance(data, dict):
        raise serializers.ValidationError("Expected an object.")
    unknown = {str(name)[:64]: ["Unknown field."] for name in list(data)[:20] if name not in names}
    if unknown:
        raise serializers.ValidationError(unknown)
    return data


@extend_schema_field({"type": "string", "pattern": SLUG, "minLength": 1, "maxLength": 32})
class Slug(StrictText):
    """As `Board.slug` is judged."""


@extend_schema_field(WINDOW_SCHEMA)
class Window(serializers.Field[Any, Any, Any, Any]):
    """→ window, every_days, starts_on; of a fixed one opens_at and closes_at, too."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, str):
            if data not in PERIODIC:
                raise serializers.ValidationError(f"Expected {', '.join(PERIODIC)}, or an object.")
            return {"window": data, "every_days": None, "starts_on": None}
        if "days" in strict(data, "days", "from", "to"):
            return self.some_days(strict(data, "days", "from"))
        if len(data) != 2:
            raise serializers.ValidationError('Expected {"days", "from"} or {"from", "to"}.')
        wrong, said = {}, {}
        for name in ("from", "to"):
            try:
                said[name] = Moment().run_validation(data[name])
            except serializers.ValidationError as error:
                wrong[name] = error.detail
        if wrong:
            raise serializers.ValidationError(wrong)
        fixed = {"window": Rule.Window.FIXED.value, "every_days": None, "starts_on": None}
        return {**fixed, "opens_at": said["from"], "closes_at": said["to"]}

    def some_days(self, data: dict[str, Any]) -> dict[str, Any]:
        days, first = data["days"], data.get("from")
        if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MAX_DAYS:
            raise refused(days=f"Expected a whole number from 1 to {MAX_DAYS}.")
        try:
            if not isinstance(first, str) or len(first) != len("2026-01-05"):
                raise ValueError
            starts_on = date.fromisoformat(first)
        except ValueError as error:
            raise refused(from_=f"Expected a day such as {EARLIEST:%Y-%m-%d}.") from error
        return {"window": Rule.Window.DAYS.value, "every_days": days, "starts_on": starts_on}


class CountsSerializer(StrictSerializer):
    """→ action_types, sources; what is left out is all."""

    types = serializers.ListField(
        child=StrictText(max_length=MAX_TYPE), default=list, max_length=MAX_TYPES, help_text="Action types; empty: all."
    )
    sources = serializers.ListField(
        child=serializers.ChoiceField(choices=SOURCES), default=list, max_length=len(SOURCES), help_text="Empty: all."
    )

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        said = super().to_internal_value(data)
        return {"action_types": said["types"], "sources": said["sources"]}


@extend_schema_field(WHO_SCHEMA)
class Who(serializers.Field[Any, Any, Any, Any]):
    """→ attribute, attribute_value. Null: everyone."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return {"attribute": "", "attribute_value": ""} if data is None else super().run_validation(data)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        data = strict(data, "attribute", "value", "each")
        if "attribute" not in data or ("value" in data) == ("each" in data):
            raise serializers.ValidationError('Expected {"attribute", "value"} or {"attribute", "each": true}.')
        try:
            name = StrictText(max_length=32).run_validation(data["attribute"])
        except serializers.ValidationError as error:
            raise serializers.ValidationError({"attribute": error.detail}) from error
        if "each" in data:
            if data["each"] is not True:
                raise refused(each="Expected true.")
            return {"attribute": name, "attribute_value": EACH}
        return {"attribute": name, "attribute_value": self.value(data["value"])}

    def value(self, data: Any) -> str:
        if isinstance(data, bool):
            return str(data).lower()
        if isinstance(data, int) and len(str(data)) <= 16:
            return str(data)
        try:
            text = str(StrictText(max_length=64).run_validation(data))
        except serializers.ValidationError as error:
            raise serializers.ValidationError({"value": error.detail}) from error
        if text == EACH:
            raise refused(value='Write {"attribute", "each": true} for one board for each value.')
        return text


@extend_schema_field(TIERS_SCHEMA)
class Tiers(serializers.Field[Any, Any, Any, Any]):
    """As `Board.tiers` is judged."""

    def to_internal_value(self, data: Any) -> Any:
        if wrong := board_checks.tiers(data):
            raise serializers.ValidationError(wrong)
        return data


@extend_schema_field(CLOSE_SCHEMA)
class Close(serializers.JSONField):
    """As `Board.close` is judged; here, too, since what is equal in Python (1, 1.0, true) is no change to it."""

    def to_internal_value(self, data: Any) -> Any:
        if sentence := board_checks.close(data):
            raise serializers.ValidationError(sentence)
        return data


class DefinitionSerializer(StrictSerializer):
    """The body of PUT: what is left out stays as it is."""

    title = StrictText(max_length=100, required=False)
    description = StrictText(max_length=500, required=False, allow_blank=True)
    visibility = serializers.ChoiceField(choices=Rule.Visibility.values, required=False)
    paused = StrictBoolean(required=False)
    window = Window(required=False, help_text="A period's length; or a fixed time, which is its one period.")
    zone = StrictText(max_length=64, required=False, help_text="In which its days begin: Europe/Paris.")
    opens_at = Moment(required=False, allow_null=True, help_text="What was done earlier does not count.")
    closes_at = Moment(required=False, allow_null=True, help_text="What is done then or later does not count.")
    freeze_at = Moment(required=False, allow_null=True, help_text="Visitors see it as of then until it is revealed.")
    counts = CountsSerializer(required=False)
    who = Who(required=False, help_text="Null: everyone.")
    unit = serializers.ChoiceField(choices=UNITS, required=False, help_text="Whom the lines are of: players, so far.")
    entry = serializers.ChoiceField(choices=Rule.Entry.values, required=False, help_text="join: of players who join.")
    value = serializers.ChoiceField(choices=Rule.Value.values, required=False)
    order = serializers.ChoiceField(choices=Rule.Order.values, required=False)
    attempts = StrictInteger(required=False, allow_null=True, min_value=1, max_value=MAX_ATTEMPTS, help_text=ATTEMPTS)
    ties = serializers.ChoiceField(choices=Rule.Ties.values, required=False)
    tiers = Tiers(required=False, help_text="Names of the best ranks: a player has the first that the rank is within.")
    close = Close(required=False, help_text="What closing a period gives, by ranges of final ranks.")
    archive = StrictInteger(
        min_value=0, max_value=1000, required=False, allow_null=True, help_text="Closed periods that are offered."
    )

    def rule(self, before: Rule | None = None) -> dict[str, Any]:
        """The fields of the rule that the body speaks of. Raises ValidationError."""
        said = dict(self.validated_data)
        said.pop("unit", None)  # there is but one
        nested = [said.pop(name, {}) for name in ("window", "counts", "who")]
        fields = {**nested[1], **nested[2]}
        for name in ("opens_at", "closes_at"):
            if name in nested[0] and said.get(name) not in (None, nested[0][name]):
                raise refused(**{name: "The window says when it opens and closes."})
        if before is not None and before.window == Rule.Window.FIXED and nested[0].get("window", "fixed") != "fixed":
            fields |= {"opens_at": None, "closes_at": None}  # those of the window that is no more
        return {**fields, **said, **nested[0]}


class NewDefinitionSerializer(DefinitionSerializer):
    """The body of POST: what is left out is all time, UTC, every type, everyone, the sum, high wins, earliest first."""

    slug = Slug(max_length=32)
    title = StrictText(max_length=100)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        return {"slug": fields.pop("slug"), **fields}


def in_words(error: ValidationError) -> serializers.ValidationError:
    """What is wrong with a rule, by the names that the API has for its fields."""
    found: dict[str, list[str]] = {}
    for field, said in board_rules.sentences(error).items():
        found.setdefault(SAID_BY.get(field, field), []).extend(said)
    return serializers.ValidationError(found)
