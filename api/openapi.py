"""Pieces every app needs to describe its calls in OpenAPI."""

from typing import Any, cast

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import serializers

from api.query import declared
from api.views import ApiView


class ApiSchema(AutoSchema):
    """With the parameters that the view declares, which are the ones it parses."""

    def get_override_parameters(self) -> list[Any]:
        query = cast(ApiView, self.view).query
        return [query] if declared(query) else []


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457 problem document."""

    type = serializers.CharField(help_text="Stable slug URI, such as /problems/token-expired.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    request_id = serializers.CharField()
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="By field, for 400.",
    )


def problems(
    *statuses: int, conflict: type[ProblemSerializer] = ProblemSerializer
) -> dict[tuple[int, str], OpenApiResponse]:
    """Response entries of these failure statuses; `conflict` is the document of a 409."""
    return {
        (status, "application/problem+json"): OpenApiResponse(conflict if status == 409 else ProblemSerializer)
        for status in statuses
    }


_answers: dict[str, Any] = {}


def envelope(data: serializers.BaseSerializer[Any], **beside: serializers.Field[Any, Any, Any, Any]) -> Any:
    """`{"success": true, "data": …}` around a named serializer; `beside` are members next to `data`.

    One class for each name: OpenAPI components are told apart by name.
    """
    inner = data.child if isinstance(data, serializers.ListSerializer) else data
    many = "List" if isinstance(data, serializers.ListSerializer) else ""
    name = f"{type(inner).__name__.removesuffix('Serializer')}{many}Answer"
    if name not in _answers:
        _answers[name] = inline_serializer(
            name, {"success": serializers.BooleanField(default=True), "data": data, **beside}
        )
    return _answers[name]
