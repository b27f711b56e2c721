"""Which usernames are allowed: nearly any script and emoji, nothing that could pass for another name at a glance."""

import unicodedata
from itertools import groupby

from django.core.exceptions import ValidationError

MAX_LENGTH = 50
MAX_MARKS = 4  # on one letter; more of them would cover the lines above and below
ZWNJ, ZWJ, EMOJI_STYLE, KEYCAP = "\u200c", "\u200d", "\ufe0f", "\u20e3"
REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters and marks that show nothing: fillers, variation selectors, a joiner of graphemes, the blank of braille.
BLANKS = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0x180F}
BLANKS |= {*range(0x180B, 0x180E), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
VIRAMA = 9  # canonical combining class
CURSIVE = {"ARABIC", "SYRIAC"}
ALIKE = {"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC"}


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
    if any(len(scripts(word)) > 1 for word in name.split()):
        raise ValidationError("The name has a word in letters of several scripts that look alike.")
    if any(is_variant(char) for char in name):
        raise ValidationError("The name has letters that are variants of plain ones.")
    if any(len(list(run)) > MAX_MARKS for marks, run in groupby(name, key=is_mark) if marks):
        raise ValidationError(f"The name has more than {MAX_MARKS} marks on one letter.")


def shows(name: str, place: int) -> bool:
    """Whether this character can be seen, or changes how its neighbours look."""
    char, before, after = name[place], name[max(0, place - 1) : place], name[place + 1 : place + 2]
    if char in (ZWNJ, ZWJ):
        return bool(before and after) and joins(char, before, after)
    if char == EMOJI_STYLE:
        return after == KEYCAP or (before != "" and unicodedata.category(before) in ("So", "Sm", "Sk", "Po"))
    return unicodedata.category(char) not in REFUSED_CATEGORIES and ord(char) not in BLANKS


def joins(joiner: str, before: str, after: str) -> bool:
    """Where a joiner means something: RFC 5892, appendix A.1 and A.2, and between emoji."""
    if unicodedata.combining(before) == VIRAMA:
        return True
    if joiner == ZWNJ:
        return script(before) in CURSIVE and script(after) in CURSIVE
    return (unicodedata.category(before) in ("So", "Sk") or before == EMOJI_STYLE) and unicodedata.category(
        after
    ) == "So"


def script(char: str) -> str:
    """The first word of its Unicode name, which for letters is the script."""
    return unicodedata.name(char, "").partition(" ")[0]


def scripts(word: str) -> set[str]:
    """Those of its scripts that have letters looking like another's."""
    return {script(char) for char in word if unicodedata.category(char)[0] == "L"} & ALIKE


def is_variant(char: str) -> bool:
    """A compatibility form of letters of ASCII: wide, bold, circled, small."""
    plain = unicodedata.normalize("NFKC", char)
    return plain != char and any(letter.isascii() and letter.isalpha() for letter in plain)


def is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Me")
