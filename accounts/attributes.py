"""What a site may say of its players beside name and avatar: as PLAYER_ATTRIBUTES declares it, and nothing else.

An item of the setting is `name:kind`, or `name:kind:one|another` when only some values are allowed. `region` is stored
in its own column, all others in `users.attributes`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings

from accounts.names import cleaned
from api.fields import MAX_SAFE_INTEGER

DECLARATION = re.compile(r"([a-z][a-z0-9_]{0,31}):(text|integer|boolean)(?::(.+))?")
MAX_TEXT = 32  # characters of a value

Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Attribute:
    """`allowed`: the values there are; empty: any of the kind."""

    name: str
    kind: str
    allowed: tuple[str | int, ...] = ()

    def checked(self, value: object) -> Value:
        """The value as it is stored; None takes the attribute away. Raises ValueError with a sentence."""
        if value is None:
            return None
        match self.kind:
            case "boolean":
                if not isinstance(value, bool):
                    raise ValueError("Expected true or false.")
                return value
            case "integer":
                if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_SAFE_INTEGER:
                    raise ValueError("Expected an integer.")
            case _:
                if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT or cleaned(value) != value:
                    raise ValueError(f"Expected 1 to {MAX_TEXT} visible characters.")
        if self.allowed and value not in self.allowed:
            raise ValueError(f"Expected one of {', '.join(map(str, self.allowed))}.")
        return value


def declared() -> dict[str, Attribute]:
    """By name. Raises ValueError for a setting that cannot be read."""
    return parse(tuple(settings.PLAYER_ATTRIBUTES))


@lru_cache(maxsize=8)
def parse(items: Sequence[str]) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    for item in items:
        match = DECLARATION.fullmatch(item.strip())
        if match is None or match[1] in found or (match[1] == "region" and match[2] != "text"):
            raise ValueError(f"expected each name once, such as region:text or league:text:gold|silver; got {item!r}")
        found[match[1]] = one(match[1], match[2], match[3].split("|") if match[3] else [])
    return found


def one(name: str, kind: str, listed: list[str]) -> Attribute:
    if listed and kind == "boolean":
        raise ValueError(f"{name}: a boolean is true or false")
    plain = Attribute(name, kind)
    try:
        allowed = [plain.checked(int(value) if kind == "integer" else value) for value in listed]
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return Attribute(name, kind, tuple(value for value in allowed if value is not None))


def stored(values: dict[str, Value]) -> tuple[str | None, dict[str, Any] | None]:
    """(region, the others) as accounts/sql/players.sql takes them: None for what was not given."""
    others = {name: value for name, value in values.items() if name != "region"}
    region = str(values["region"] or "") if "region" in values else None
    return region, others or None


def schema() -> dict[str, Any]:
    """The declared attributes in OpenAPI."""
    kinds: dict[str, dict[str, Any]] = {
        "text": {"type": ["string", "null"], "format": "visible-text", "minLength": 1, "maxLength": MAX_TEXT},
        "integer": {
            "type": ["integer", "null"],
            "minimum": -MAX_SAFE_INTEGER,
            "maximum": MAX_SAFE_INTEGER,
        },
        "boolean": {"type": ["boolean", "null"]},
    }
    return {
        "type": "object",
        "properties": {
            each.name: {"enum": [*each.allowed, None]} if each.allowed else kinds[each.kind]
            for each in declared().values()
        },
        "additionalProperties": False,
    }
