"""What else a site says of a deed: a small JSON object, kept in the history and shown with a best or latest entry."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

MAX_BYTES = 1024  # of the JSON in UTF-8
MAX_DEPTH = 5


@extend_schema_field({"type": "object", "additionalProperties": True})
class Metadata(serializers.Field[Any, Any, Any, Any]):
    """An object within MAX_BYTES and MAX_DEPTH, as it comes."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise serializers.ValidationError("Expected an object.")
        if depth(data) > MAX_DEPTH:
            raise serializers.ValidationError(f"Expected at most {MAX_DEPTH} levels.")
        try:
            length = size(data)
        except ValueError as error:
            raise serializers.ValidationError("Expected numbers that are finite.") from error
        if length > MAX_BYTES:
            raise serializers.ValidationError(f"Expected at most {MAX_BYTES} bytes of JSON; these are {length}.")
        return data


def depth(value: Any) -> int:
    """Levels of objects and lists, counted no further than one too many."""
    levels, these = 0, [value]
    while levels <= MAX_DEPTH and (these := [each for each in these if isinstance(each, dict | list)]):
        levels += 1
        these = [item for each in these for item in inside(each)]
    return levels


def inside(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def size(value: Any) -> int:
    """Bytes as PostgreSQL keeps it: it writes 1e300 out. Raises ValueError for what is no number in JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return len(text.encode()) + sum(len(f"{Decimal(repr(each)):f}") - len(repr(each)) for each in floats(value))


def floats(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict | list):
        for item in inside(value):
            yield from floats(item)
