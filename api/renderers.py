"""Answers in other forms than one JSON document."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from rest_framework.renderers import JSONRenderer

NDJSON = "application/x-ndjson"


def ndjson(values: Iterable[Any]) -> HttpResponse:
    """One JSON text a line."""
    lines = b"".join(JSONRenderer().render(value) + b"\n" for value in values)
    return HttpResponse(lines, content_type=NDJSON)
