"""The declared attributes, as this process knows them, and what they make of values.

A declaration judges what is written from now on, and what is told of what was stored before: a value that would not be
accepted today stays stored and is not told, so that undoing an edit loses nothing.
"""

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from accounts.models import REGION, PlayerAttribute, Value

STALE_SECONDS = 10  # after an edit, at most
MOST_WRONG = 10  # that one answer names


def declared() -> dict[str, PlayerAttribute]:
    """By name. Reads PostgreSQL once in STALE_SECONDS."""
    return read(int(time.monotonic() // STALE_SECONDS))


@lru_cache(maxsize=1)
def read(period: int) -> dict[str, PlayerAttribute]:
    return {each.name: each for each in PlayerAttribute.objects.all()}


def judge(values: Mapping[str, Any]) -> tuple[dict[str, Value], dict[str, list[str]]]:
    """The values as they are stored, and by name what is wrong with the others."""
    known, good, wrong = declared(), dict[str, Value](), dict[str, list[str]]()
    for name, value in values.items():
        try:
            if name not in known:
                raise ValueError("Not an attribute that this site declares.")
            good[name] = known[name].checked(value)
        except ValueError as error:
            wrong[str(name)[:64]] = [str(error)]
        if len(wrong) >= MOST_WRONG:
            break
    return good, wrong


def told(values: Mapping[str, Any], *, private: bool) -> dict[str, Value]:
    """Those of the stored values that are declared and fit; `private`: with those that are not for every reader."""
    return {
        name: value
        for name, each in declared().items()
        if name in values and (private or not each.private) and fits(each, value := values[name])
    }


def fits(attribute: PlayerAttribute, value: object) -> bool:
    try:
        return attribute.checked(value) is not None
    except ValueError:
        return False


def stored(values: dict[str, Value]) -> tuple[str | None, dict[str, Any] | None]:
    """(region, the others) as accounts/sql/players.sql takes them: None for what was not given."""
    others = {name: value for name, value in values.items() if name != REGION}
    region = str(values[REGION] or "") if REGION in values else None
    return region, others or None
