"""Serializer fields that speak of players: their ids, and how they appear. And how ids of users are read in paths."""

import uuid
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import URLValidator
from django.urls import register_converter
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts import attributes, players
from accounts.key_views import found
from accounts.models import Value
from accounts.names import cleaned
from api.fields import UUID_TEXT, StrictSerializer, StrictText

MAX_NAME = 255  # characters of a name as it comes; what is shown is cut
MAX_AVATAR = 500
AVATAR = URLValidator(schemes=["http", "https"])


def text(value: str, format: str, most: int, **more: Any) -> dict[str, Any]:
    return {"type": value, "format": format, "minLength": 1, "maxLength": most, **more}


@extend_schema_field(text("string", "opaque-id", players.MAX_ID))
class OpaqueId(StrictText):
    """An id that a site made."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return players.checked_id(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


@extend_schema_field(text("string", "opaque-id", players.MAX_ID, pattern="^(?!ext:)"))
class PlayerId(StrictText):
    """A site's own id of a player."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return players.checked_player(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


ATTRIBUTES = "As the site declares them in admin; null takes one away."
USER_ID = {
    "anyOf": [
        {"type": "string", "format": "uuid"},
        {"type": "string", "format": "player-reference", "pattern": "^ext:", "minLength": 5, "maxLength": 292},
    ]
}


@extend_schema_field(USER_ID)
class UserReference(StrictText):
    """A user id: ours, or `ext:…`, not looked up."""

    def to_internal_value(self, data: Any) -> Any:
        said = super().to_internal_value(data)
        if not said.startswith(players.MARK) and not UUID_TEXT.fullmatch(said):
            raise serializers.ValidationError("Expected a user id, or `ext:` and a site's own id of the player.")
        try:
            return players.parse(said)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


@extend_schema_field(USER_ID)
class UserId(UserReference):
    """A user id, ours or `ext:…`, as ours. Needs `context["request"]`. Raises Problem not-found."""

    def to_internal_value(self, data: Any) -> Any:
        reference = super().to_internal_value(data)
        return found(self.context["request"], reference)


@extend_schema_field(text("string", "visible-text", MAX_NAME))
class DisplayName(StrictText):
    """A name as it is shown: cleaned, and cut to what a board has room for."""

    def to_internal_value(self, data: Any) -> str:
        said = super().to_internal_value(data)
        if len(said) > MAX_NAME:
            raise serializers.ValidationError(f"Expected at most {MAX_NAME} characters.")
        name = cleaned(said)
        if not name:
            raise serializers.ValidationError("The name has no visible character.")
        return name


@extend_schema_field({"type": ["string", "null"], "format": "picture-address", "maxLength": MAX_AVATAR})
class Avatar(StrictText):
    """The address of a picture; null takes it away."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if data is None:
            return ""
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        address = super().to_internal_value(data)
        try:
            AVATAR(address)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages) from error
        return address


class Attributes(serializers.Field[Any, Any, Any, Any]):
    """An object of declared attributes; null as a value takes one away. `judged`: refused here unless all are good."""

    def __init__(self, *, judged: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.judged = judged

    def to_internal_value(self, data: Any) -> dict[str, Value]:
        if not isinstance(data, dict):
            raise serializers.ValidationError("Expected an object.")
        if not self.judged:
            return data
        values, wrong = attributes.judge(data)
        if wrong:
            raise serializers.ValidationError(wrong)
        return values


class DescriptionSerializer(StrictSerializer):
    """How a player appears; what is left out stays as it is."""

    name = DisplayName(required=False, help_text="Cleaned; need not be unique. 50 are shown.")
    avatar = Avatar(required=False, max_length=MAX_AVATAR, help_text="Null takes it away.")
    attributes = Attributes(required=False, help_text=ATTRIBUTES)


class UserConverter:
    """A user id in a path: a UUID in either case, or `ext:…`. An id with a slash in it is reached by our id of it."""

    regex = f"(?:{UUID_TEXT.pattern}|ext:[^/]{{1,300}})"

    def to_python(self, value: str) -> uuid.UUID | players.Reference:
        return players.parse(value)

    def to_url(self, value: uuid.UUID | players.Reference) -> str:
        return str(value)


class OpaqueConverter:
    """A site's own id of something, with slashes or without."""

    regex = "(?s:.+)"

    def to_python(self, value: str) -> str:
        return players.checked_id(value)

    def to_url(self, value: str) -> str:
        return value


register_converter(UserConverter, "user")
register_converter(OpaqueConverter, "opaque")
