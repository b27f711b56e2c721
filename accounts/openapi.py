"""How the schema describes our ways to authenticate, and what a site may say of its players.

drf-spectacular finds these classes by being imported.
"""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension

from accounts.models import MAX_TEXT
from api.fields import MAX_SAFE_INTEGER


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A JWT of `POST /auth/token`, or a player's of another identity provider."""

    target_class = "accounts.authentication.PlayerJWTAuthentication"
    match_subclasses = True
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The session of the site's own pages; unsafe calls also need the X-CSRFToken header."""

    target_class = "accounts.authentication.AccountSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


class AttributesField(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """An object of attributes: which there are is declared in admin, and so not said here."""

    target_class = "accounts.player_fields.Attributes"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        text = {"type": "string", "format": "visible-text", "minLength": 1, "maxLength": MAX_TEXT}
        integer = {"type": "integer", "minimum": -MAX_SAFE_INTEGER, "maximum": MAX_SAFE_INTEGER}
        return {
            "type": "object",
            "additionalProperties": {"oneOf": [text, integer, {"type": "boolean"}, {"type": "null"}]},
        }


def one_player(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Says of bodies that can name their player in two ways that they do so in one: serializers have no word for it."""
    for name, schema in result["components"]["schemas"].items():
        properties, required = schema.get("properties", {}), schema.get("required", ())
        if name.endswith("Request") and {"user_id", "player"} <= properties.keys() and "user_id" not in required:
            schema["oneOf"] = [{"required": ["user_id"]}, {"required": ["player"]}]
    return result
