"""The last guard before the log: what looks like a secret is blanked, wherever it came from.

Nothing here logs secrets. But a traceback quotes the messages of exceptions, and PostgreSQL's quote rows: "Failing row
contains (…)" would be a session's key, an address or a hash.
"""

import re
from typing import Any

BLANK = "[…]"
SECRET = re.compile(
    r"eyJ[\w-]+\.[\w-]+\.[\w-]*"  # JWTs and action tokens
    r"|sb_[0-9a-f]{12}_[\w-]+"  # API keys
    r"|\b(?:scrypt|pbkdf2_sha256|argon2\w*|bcrypt\w*)\$\S+"  # password hashes
    r"|(?<=://)[^\s/@]+(?=@)"  # user:password of a URL
    r"|otpauth://\S+"
    # From the quoted row to the end of the message, or to the empty line before the next exception's.
    r"|(?<=Failing row contains )\(.*?(?=\n\n|\Z)"
    r"|(?<=\)=)\(.*?(?=\n\n|\Z)",  # Key (lower(email::text))=(…)
    re.DOTALL,
)


def redact(value: Any) -> Any:
    """Text without secrets; the same for whatever text a dict, list or tuple holds."""
    if isinstance(value, str):
        return SECRET.sub(BLANK, value)
    if isinstance(value, dict):
        return {name: redact(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact(inner) for inner in value]
    return value


def redacted(logger: Any, method: str, event: Any) -> Any:
    """The structlog processor: before the renderer for an event of parts, behind it for one that is text."""
    return redact(event)
