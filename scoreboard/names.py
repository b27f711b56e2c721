"""Which usernames are allowed: nearly any script and emoji, nothing invisible that could pass for another name."""

import unicodedata

from django.core.exceptions import ValidationError

MAX_LENGTH = 50
# Format characters that ordinary words and emoji need; all others (bidi overrides, tags, soft hyphens) only disguise.
JOINERS = {"\u200c", "\u200d"}
REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def validate_username(name: str) -> None:
    """Raises ValidationError unless `name` is 1 to 50 visible characters in NFC without outer or double spaces."""
    if unicodedata.normalize("NFC", name) != name:
        raise ValidationError("The name is not in Unicode normal form C.")
    if name != " ".join(name.split()):
        raise ValidationError("The name has spaces at an end, double or unusual spaces.")
    if any(unicodedata.category(char) in REFUSED_CATEGORIES and char not in JOINERS for char in name):
        raise ValidationError("The name has invisible or control characters.")
    if not any(unicodedata.category(char)[0] in "LNPS" for char in name):
        raise ValidationError("The name has no visible character.")
