"""What takes more than a look at one field to see whether a board's rule is sound: `Board.clean` asks here, so that
admin and the API say the same. Each function gives a sentence, "" for what is right."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime

from accounts.models import REGION, PlayerAttribute, Value

EACH = "*"
# Python's calendar ends with the year 9999, PostgreSQL's does not; and a wrong century is a slip of the hand.
MAX_TIERS, MAX_TIER, MAX_RANKS = 10, 32, 1_000_000  # of a board; characters of a name; the first so many ranks
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

MOST_GIVEN, MAX_NOTICE = 10, 200
LAST_GIVEN = 100_000  # rank

_catalogue: Callable[[], Iterable[str]] = tuple


def set_catalogue(types: Callable[[], Iterable[str]]) -> None:
    """`types`: the slugs of all action types; set by the app that has them."""
    global _catalogue
    _catalogue = types


def catalogue() -> list[str]:
    return sorted(_catalogue())


def moment(value: datetime | date | None) -> str:
    if value is None:
        return ""
    day = value.date() if isinstance(value, datetime) else value
    return "" if EARLIEST.date() <= day < LATEST.date() else "Expected a day between 2000 and 2100."


def types(named: Sequence[str], before: Sequence[str]) -> str:
    """`before`: what the rule named already, which may have left the catalogue since."""
    known = catalogue()
    unknown = [name for name in named if name not in known and name not in before]
    return f"There is no action type {', '.join(name[:50] for name in unknown[:3])}." if unknown else ""


def tiers(said: object) -> str:
    """`said`: a list of {"name", "ranks"}, the first so many ranks, and {"name", "percent"}, of the board's players."""
    if not isinstance(said, list) or len(said) > MAX_TIERS:
        return f"Expected a list of at most {MAX_TIERS} tiers."
    widest, names = {"ranks": 0, "percent": 0}, set[str]()
    for one in said:
        if not isinstance(one, dict) or set(one) not in ({"name", "ranks"}, {"name", "percent"}):
            return 'Expected {"name", "ranks"} or {"name", "percent"} for each tier.'
        if not is_name(one["name"]):
            return f"A tier's name has 1 to {MAX_TIER} characters, and no space around them."
        if one["name"].casefold() in names:
            return f"There are two tiers {one['name']!r}."
        names.add(one["name"].casefold())
        [kind] = set(one) - {"name"}
        width, most = one[kind], 100 if kind == "percent" else MAX_RANKS
        if isinstance(width, bool) or not isinstance(width, int) or not 1 <= width <= most:
            return f"The {kind} of {one['name']!r} are a whole number from 1 to {most}."
        if width <= widest[kind]:
            return f"{one['name']!r} is no wider than a tier before it: nobody would have it."
        widest[kind] = width
    return ""


def is_name(text: object) -> bool:
    return isinstance(text, str) and 1 <= len(text) <= MAX_TIER and text.isprintable() and text == text.strip()


def attribute(name: str, value: str, hidden: bool) -> tuple[str, str]:
    """Sentences about the attribute and about its value. `hidden`: whether the board is."""
    declared = PlayerAttribute.objects.filter(pk=name).first()
    if declared is None and name != REGION:
        return f"This site declares no attribute {name!r}, and it is not `{REGION}`.", ""
    if declared is not None and declared.private and not hidden:
        return f"`{name}` is private: a board by it would tell who has which value. Such a board must be hidden.", ""
    if value == EACH or declared is None:
        return "", ""
    try:
        declared.checked(parsed(value, declared.kind))
    except ValueError as error:
        return "", str(error)
    return "", ""


def close(given: object) -> str:
    """What closing gives: a list of {"ranks": [from, to], "notice": text and/or "webhook": true}."""
    if not isinstance(given, list) or len(given) > MOST_GIVEN:
        return f"Expected a list of at most {MOST_GIVEN}."
    return next((sentence for one in given if (sentence := one_given(one))), "")


def one_given(one: object) -> str:
    if not isinstance(one, dict) or not {"ranks"} < one.keys() <= {"ranks", "notice", "webhook"}:
        return 'Expected {"ranks": [1, 3]} with a "notice", with "webhook": true, or with both.'
    ranks, notice, webhook = one["ranks"], one.get("notice"), one.get("webhook", False)
    whole = isinstance(ranks, list) and len(ranks) == 2 and all(type(rank) is int for rank in ranks)
    if not (whole and 1 <= ranks[0] <= ranks[1] <= LAST_GIVEN):
        return f"`ranks`: expected two whole numbers, 1 to {LAST_GIVEN}, the lower first."
    if type(webhook) is not bool:
        return "`webhook`: expected true or false."
    if "notice" not in one:
        return "" if webhook else 'Say what is given: a "notice", or "webhook": true.'
    if not isinstance(notice, str) or not notice.strip() or len(notice) > MAX_NOTICE:
        return f"`notice`: expected a text of 1 to {MAX_NOTICE} characters."
    control = any(unicodedata.category(character) in ("Cc", "Cs") for character in notice)
    return "`notice`: expected one line of text." if control else ""


def parsed(text: str, kind: str) -> Value:
    """The value of an attribute as the rule has it in a text. What does not read as its kind stays a text."""
    match kind:
        case PlayerAttribute.Kind.BOOLEAN:
            return {"true": True, "false": False}.get(text, text)
        case PlayerAttribute.Kind.INTEGER:
            try:
                number = int(text)
            except ValueError:
                return text
            return number if str(number) == text else text
        case _:
            return text
