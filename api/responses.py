"""The success envelope: `{"success": true, "data": …}`."""

from typing import Any

from rest_framework.response import Response


def ok(data: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response({"success": True, "data": data}, status=status, headers=headers)
