"""Serializer fields that take a value as it is or refuse it: no coercion, no trimming, no unknown fields."""

import math
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

MAX_SAFE_INTEGER = 2**53 - 1  # the largest total: Redis scores and JSON numbers are doubles

QUERY_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
MAX_NAMED, MAX_NAME = 10, 64  # unknown fields that a refusal names, and characters of each: it must not repeat a body
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not declare: a client that sends `points` must learn that it has no say."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError({shortened(name): ["Unknown field."] for name in unknown[:MAX_NAMED]})
        return super().to_internal_value(data)


def parsed(serializer: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    """The fields of a body; raises ValidationError."""
    filled = serializer(data=data)
    filled.is_valid(raise_exception=True)
    return dict(filled.validated_data)


def shortened(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


class StrictText(serializers.CharField):
    """A JSON string, exactly as sent; never a number or a boolean made into one."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictInteger(serializers.IntegerField):
    """A JSON integer inside ±(2^53-1); never "5", 5.0 or true."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", -MAX_SAFE_INTEGER)
        kwargs.setdefault("max_value", MAX_SAFE_INTEGER)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(data)


class StrictBoolean(serializers.BooleanField):
    """JSON's true or false; never "yes" or 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=str(data)[:MAX_NAME])
        return data


class QueryInteger(serializers.IntegerField):
    """An integer in a URL, written the one plain way; Python would also take "1_0", " 5", "-0" and other digits."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str) or not QUERY_INTEGER.fullmatch(data):
            self.fail("invalid")
        return super().to_internal_value(data)


class UnixTime(serializers.FloatField):
    """Seconds since 1970 as a JSON number."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float) or abs(data) > 1e15:
            self.fail("invalid")
        if not math.isfinite(data):
            self.fail("invalid")
        return float(data)


@extend_schema_field({"type": "string", "format": "date-time"})
class Moment(StrictText):
    """An instant as RFC 3339 writes it, with its offset from UTC; in UTC."""

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        try:
            if not RFC_3339.fullmatch(text):
                raise ValueError
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise serializers.ValidationError("Expected a time such as 2026-11-26T12:00:00Z.") from error


class StrictUUID(serializers.UUIDField):
    """The 36-character text form of a UUID; DRF would also take integers, URNs and bare hex."""

    def to_internal_value(self, data: Any) -> uuid.UUID:
        if not isinstance(data, str) or not UUID_TEXT.fullmatch(data):
            self.fail("invalid", value="…")
        return uuid.UUID(data)
