"""What all calls have in common in OpenAPI, added to what drf-spectacular reads off the views.

drf-spectacular finds the extension by its being imported, and `complete` by its name in the settings.
"""

from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension

from api.problems import CONTENT_TYPE, KINDS

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The request's own id if it sent a sane one. Logs and history carry it too.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
    },
    "WWW-Authenticate": {"required": True, "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}},
    "RateLimit": {"required": True, "schema": {"type": "string"}},
    "RateLimit-Policy": {"required": True, "schema": {"type": "string"}},
}
OF_STATUS: dict[int, list[str]] = {
    HTTPStatus.UNAUTHORIZED: ["WWW-Authenticate"],
    HTTPStatus.TOO_MANY_REQUESTS: ["Retry-After", "RateLimit", "RateLimit-Policy"],
    HTTPStatus.SERVICE_UNAVAILABLE: ["Retry-After"],
}


class StrictBody(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Unknown fields are refused, so the schema allows none."""

    target_class = "api.fields.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: str) -> Any:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False}


def complete(result: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """No call takes an empty body; every answer has its headers; each problem is described once for all calls."""
    components = result["components"]
    components["headers"] = HEADERS
    shared = components.setdefault("responses", {})
    for operation in (operation for path in result["paths"].values() for operation in path.values()):
        if "requestBody" in operation:
            operation["requestBody"]["required"] = True
        for status, response in operation["responses"].items():
            response["headers"] = {name: header(name) for name in ["X-Request-ID", *OF_STATUS.get(int(status), [])]}
            response["description"] = response.get("description") or described(int(status))
            if CONTENT_TYPE in response.get("content", {}):
                name = problem_name(int(status), response)
                shared[name] = response
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return result


def header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def described(status: int) -> str:
    """The slugs and titles of the problems with this status; HTTP's own word for any other."""
    titles = [f"`{kind}`: {title}" for kind, (of_kind, title) in KINDS.items() if of_kind == status]
    return "; or ".join(titles) if titles else HTTPStatus(status).phrase


def problem_name(status: int, response: dict[str, Any]) -> str:
    """A component's name: its status, and its schema where that is not the usual one."""
    schema = response["content"][CONTENT_TYPE]["schema"]["$ref"].rpartition("/")[2]
    return f"{HTTPStatus(status).phrase.title().replace(' ', '')}{'' if schema == 'Problem' else schema}"
