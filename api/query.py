"""Query parameters: what a call declares is all it takes, parsed without an object made for each request.

A call declares them as a serializer class, from which its OpenAPI description is made as well.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from rest_framework import serializers
from rest_framework.fields import SkipField, empty

from api.fields import MAX_NAMED, shortened


class Query(serializers.Serializer[Any]):
    """The base of every declaration; by itself that of a call without parameters."""


@cache
def declared(query: type[Query]) -> Mapping[str, serializers.Field[Any, Any, Any, Any]]:
    """Its fields by name. One instance serves every thread: a field keeps nothing of what it validates."""
    return dict(query().fields)


def parse(query: type[Query], given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The values of a URL's parameters, defaults included; raises ValidationError.

    An unknown parameter is refused like an unknown field: a client that misspells `limit` must not take the default
    for its answer. A repeated one is refused, and not guessed at.
    """
    fields = declared(query)
    values: dict[str, Any] = {}
    errors: dict[str, Any] = {
        shortened(name): ["Unknown parameter."] for name in [name for name in given if name not in fields][:MAX_NAMED]
    }
    for name, field in fields.items():
        texts = given.get(name, ())
        try:
            if len(texts) > 1:
                raise serializers.ValidationError("Given more than once.")
            values[name] = field.run_validation(texts[0] if texts else empty)
        except SkipField:
            pass
        except serializers.ValidationError as error:
            errors[name] = error.detail
    if errors:
        raise serializers.ValidationError(errors)
    return values
