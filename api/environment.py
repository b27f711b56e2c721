"""Settings that are more than text, as the environment spells them.

Empty is as good as not set, but for lists of words, which may be empty. Each function raises ImproperlyConfigured, with
the name, what came and what was expected.
"""

import math
import os
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured

TRUE = ("true", "on", "ok", "y", "yes", "1")
FALSE = ("false", "off", "n", "no", "0")


def flag(name: str, default: bool) -> bool:
    """A word that is neither must not switch a protection off."""
    word = given(name).lower()
    if word and word not in TRUE + FALSE:
        raise refusal(name, "true or false")
    return word in TRUE if word else default


def whole(name: str, default: int) -> int:
    try:
        return int(given(name) or default)
    except ValueError as error:
        raise refusal(name, "a whole number") from error


def number(name: str, default: float) -> float:
    return finite(name, [given(name)] if given(name) else [default])[0]


def numbers(name: str, default: Sequence[float]) -> list[float]:
    """Separated by commas; at least one."""
    return finite(name, items(name, []) or default)


def choice(name: str, default: str, words: Sequence[str]) -> str:
    word = given(name) or default
    if word not in words:
        raise refusal(name, " or ".join(words))
    return word


def items(name: str, default: Sequence[str]) -> list[str]:
    """Separated by commas and, as one likes, spaces."""
    if name not in os.environ:
        return list(default)
    return [item for part in os.environ[name].split(",") if (item := part.strip())]


def amounts(name: str) -> dict[str, int]:
    """`NAME=number` items."""
    try:
        return {key: int(amount) for key, _, amount in (item.partition("=") for item in items(name, []))}
    except ValueError as error:
        raise refusal(name, "such as NAME=200,OTHER=60") from error


def finite(name: str, texts: Sequence[str | float]) -> list[float]:
    try:
        found = [float(text) for text in texts]
    except ValueError as error:
        raise refusal(name, "a number") from error
    if not all(map(math.isfinite, found)):
        raise refusal(name, "a number")
    return found


def given(name: str) -> str:
    return os.environ.get(name, "").strip()


def refusal(name: str, expected: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {given(name)!r}; expected {expected}.")
