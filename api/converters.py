"""How ids are read in paths."""

import uuid

from django.urls import register_converter
from django.urls.converters import StringConverter

from api.fields import UUID_TEXT


class IdConverter:
    """A UUID in either case, as RFC 9562 has it for input; Django's own converter takes small letters alone."""

    regex = UUID_TEXT.pattern

    def to_python(self, value: str) -> uuid.UUID:
        return uuid.UUID(value)

    def to_url(self, value: uuid.UUID) -> str:
        return str(value)


class ExtensionConverter(StringConverter):
    """The form of an export, as the end of its path."""

    regex = "csv|json"


register_converter(IdConverter, "id")
register_converter(ExtensionConverter, "extension")
