"""Which usernames are allowed: nearly any script and emoji, nothing invisible, nothing that passes for another name.

Two names that look alike have the same skeleton (UTS 39, section 4), which is unique. What Unicode says of characters
that look alike, and of scripts, comes from the library `confusable_homoglyphs`.
"""

import json
import unicodedata
import uuid
from functools import cache
from importlib.resources import files
from itertools import groupby

from confusable_homoglyphs.categories import alias as script
from django.core.exceptions import ValidationError

MAX_LENGTH = 50
MAX_MARKS = 4  # on one letter; more of them would cover the lines above and below
ZWNJ, ZWJ, EMOJI_STYLE, KEYCAP = "\u200c", "\u200d", "\ufe0f", "\u20e3"
REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters and marks that show nothing: fillers, variation selectors, a joiner of graphemes; their names tell of more.
BLANKS = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180F, *range(0x180B, 0x180E)}
BLANKS |= {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
BLANK_NAMES = ("FILLER", "BLANK", "NULL NOTEHEAD", "REPLACEMENT CHARACTER")
VIRAMA = 9  # canonical combining class
CURSIVE = {"ARABIC", "SYRIAC"}
OF_NO_SCRIPT = {"COMMON", "INHERITED", "Unknown"}
# Scripts that are written together in one word (UTS 39, "highly restrictive").
TOGETHER = (
    {"LATIN", "HAN", "HIRAGANA", "KATAKANA"},
    {"LATIN", "HAN", "HANGUL"},
    {"LATIN", "HAN", "BOPOMOFO"},
)
RESERVED = (
    *("admin", "administrator", "root", "superuser", "system", "sysop", "operator", "staff", "official"),
    *("mod", "moderator", "support", "helpdesk", "security", "webmaster", "postmaster", "scoreboard", "leaderboard"),
    *("everyone", "everybody", "nobody", "anonymous", "null", "undefined", "deleted", "erased"),
)


def validate_username(name: str) -> None:
    """Raises ValidationError unless `name` is 1 to 50 visible characters in NFC without outer or double spaces."""
    if unicodedata.normalize("NFC", name) != name:
        raise ValidationError("The name is not in Unicode normal form C.")
    if name != " ".join(name.split()):
        raise ValidationError("The name has spaces at an end, double or unusual spaces.")
    if any(not shows(name, place) for place in range(len(name))):
        raise ValidationError("The name has invisible or control characters.")
    if not any(unicodedata.category(char)[0] in "LNPS" for char in name):
        raise ValidationError("The name has no visible character.")
    if not all(of_one_script(word) for word in name.split()) or len(digits(name)) > 1:
        raise ValidationError("The name has a word in letters or digits of several scripts.")
    if any(is_variant(char) for char in name):
        raise ValidationError("The name has letters that are variants of plain ones.")
    if any(len(list(run)) > MAX_MARKS for marks, run in groupby(name, key=is_mark) if marks):
        raise ValidationError(f"The name has more than {MAX_MARKS} marks on one letter.")
    if looks_like_an_id(name):
        raise ValidationError("The name looks like an id.")


def validate_unreserved(name: str) -> None:
    """Raises ValidationError for a name that players would take for the site's own."""
    if letters(skeleton(name)) in reserved():
        raise ValidationError("This name is reserved.")


def skeleton(name: str) -> str:
    """What the name looks like: equal for two names that differ in capitals, or that can be mistaken for each other.

    Twice, because what a character looks like may be a capital: a Lisu M like M, and m like rn. And a capital I looks
    like a small l, so that where capitals do not count, i and l are one letter.
    """
    for _ in range(2):
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        shown = "".join(char for char in unicodedata.normalize("NFD", folded) if not is_ignorable(char))
        name = unicodedata.normalize("NFD", shown.translate(prototypes()))
    return name.replace("i", "l")


@cache
def prototypes() -> dict[int, str]:
    """Character → what Unicode says that it looks like.

    The library lists each pair in both directions: a prototype has many characters that look like it, each of those
    just the one prototype.
    """
    found = json.loads(files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8"))
    # Right-to-left ones stand between marks of direction.
    alike = {bare(text): [bare(entry["c"]) for entry in entries] for text, entries in found.items()}
    single = ((text, others[0]) for text, others in alike.items() if len(text) == len(others) == 1)
    return {
        ord(text): other for text, other in single if len(other) > 1 or len(alike.get(other, ())) > 1 or other < text
    }


def bare(text: str) -> str:
    return text.replace("\u200e", "")


@cache
def reserved() -> frozenset[str]:
    return frozenset(letters(skeleton(name)) for name in RESERVED)


def letters(text: str) -> str:
    """Without what may stand between letters to make another name of the same word."""
    return "".join(char for char in text if char.isalnum())


def looks_like_an_id(name: str) -> bool:
    """A UUID in any of its spellings, or `ext:…`, which is a site's own id of a player."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    try:
        uuid.UUID("".join(plain.split()))
    except ValueError:
        return plain.startswith("ext:")
    return True


def shows(name: str, place: int) -> bool:
    """Whether this character can be seen, or changes how its neighbours look."""
    char, before, after = name[place], name[max(0, place - 1) : place], name[place + 1 : place + 2]
    if char in (ZWNJ, ZWJ):
        return bool(before and after) and joins(char, before, after)
    if char == EMOJI_STYLE:
        return after == KEYCAP or (before != "" and unicodedata.category(before) in ("So", "Sm", "Sk", "Po"))
    blank = any(word in unicodedata.name(char, "") for word in BLANK_NAMES)
    return unicodedata.category(char) not in REFUSED_CATEGORIES and ord(char) not in BLANKS and not blank


def is_ignorable(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or ord(char) in BLANKS


def joins(joiner: str, before: str, after: str) -> bool:
    """Where a joiner means something: RFC 5892, appendix A.1 and A.2, and between emoji."""
    if unicodedata.combining(before) == VIRAMA:
        return True
    if joiner == ZWNJ:
        return script(before) in CURSIVE and script(after) in CURSIVE
    return (unicodedata.category(before) in ("So", "Sk") or before == EMOJI_STYLE) and unicodedata.category(
        after
    ) == "So"


def of_one_script(word: str) -> bool:
    """Whether its letters, marks and digits are of one script, or of scripts that are written together.

    Digits of Arabic belong to no script: between Latin letters they are of another one all the same.
    """
    found = {script(char) for char in word} - OF_NO_SCRIPT
    if "LATIN" in found and digits(word) - {"0"}:
        return False
    return len(found) < 2 or any(found <= together for together in TOGETHER)


def digits(text: str) -> set[str]:
    """The zeros of the systems that its digits are of."""
    return {chr(ord(char) - unicodedata.decimal(char)) for char in text if unicodedata.category(char) == "Nd"}


def is_variant(char: str) -> bool:
    """A compatibility form of letters of ASCII: wide, bold, circled, small."""
    plain = unicodedata.normalize("NFKC", char)
    return plain != char and any(letter.isascii() and letter.isalpha() for letter in plain)


def is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Me")


def cleaned(text: str) -> str:
    """A display name made of any text: NFC, without what does not show, single spaces, at most MAX_LENGTH characters.

    "" when nothing visible is left. It may equal another's: who a player is, the id says.
    """
    name = " ".join(unicodedata.normalize("NFC", text[: 8 * MAX_LENGTH]).split())[:MAX_LENGTH]
    while (kept := "".join(name[place] for place in range(len(name)) if shows(name, place))) != name:
        name = kept  # what stood beside a character that went may show nothing now
    runs = (list(run)[: MAX_MARKS if marks else None] for marks, run in groupby(name, key=is_mark))
    name = unicodedata.normalize("NFC", " ".join("".join(map("".join, runs)).split()))
    return name if any(unicodedata.category(char)[0] in "LNPS" for char in name) else ""
