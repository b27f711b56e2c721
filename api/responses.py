"""What is answered where all went well: `{"success": true, "data": …}`, or one JSON text a line."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

NDJSON = "application/x-ndjson"


def ok(data: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response({"success": True, "data": data}, status=status, headers=headers)


def ndjson(values: Iterable[Any]) -> HttpResponse:
    """One JSON text a line."""
    lines = b"".join(JSONRenderer().render(value) + b"\n" for value in values)
    return HttpResponse(lines, content_type=NDJSON)
