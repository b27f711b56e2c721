"""What an answer must never contain: how the site is built, where it runs, what it keeps secret."""

import re
from collections.abc import Iterable

PATTERNS = {
    "traceback": r"Traceback \(most recent call last\)|\bFile \"[^\"]+\", line \d+",
    "path": r"/(?:home|root|tmp|usr|var|opt|srv|proc|work)/[\w.-]+|site-packages|\b\w+\.py\b|\.sock\b",
    "SQL": r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\s[^.]{0,80}\b(?:FROM|VALUES|SET|WHERE)\b|\bSQLSTATE\b",
    "table": r"\b(?:action_tokens|user_scores|score_history|auth_permission|sign_ins|queued_work)\b",
    "constraint": r"\bviolates \w+(?:-\w+)? constraint|\bduplicate key value\b|\busers_\w+_key\b",
    "module": r"\b(?:psycopg2?|django|rest_framework|redis\.exceptions|celery|granian|uvicorn|hiredis|jwt)\.\w",
    "exception": r"\b(?:[A-Z][a-z]+)+(?:Error|Exception)\b",
    "product": r"(?i)\b(?:granian|uvicorn|daphne|gunicorn|django|python|postgresql|valkey|redis|nginx)/\d",
    "object": r"<[\w.]+ object at 0x[0-9a-f]+>|<(?:class|function|bound method) ",
    "hash": r"\bscrypt\$|\bpbkdf2_sha256\$",
    "memory of Redis": r"\blb:\{|\bscoreboard\.updates\b",
}
COMPILED = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}
# Of headers, those that name what serves; a browser has no use for them.
TELLTALE_HEADERS = frozenset({"x-powered-by", "x-aspnet-version", "via", "x-runtime", "x-debug-token"})
SERVER_NAME = "scoreboard"


def leaks(body: str, headers: Iterable[tuple[str, str]], *, secrets: Iterable[str] = (), echoed: str = "") -> list[str]:
    """What this answer gives away, each with its evidence. `echoed`: what the client sent, and so knows already."""
    named = list(headers)
    everything = "\n".join([body, *(f"{name}: {value}" for name, value in named)])
    found = [
        f"{kind}: {match[0][:80]!r}"
        for kind, pattern in COMPILED.items()
        for match in pattern.finditer(everything)
        if match[0] not in echoed
    ]
    found += [f"header {name}: {value}" for name, value in named if name.lower() in TELLTALE_HEADERS]
    found += [f"header {n}: {v}" for n, v in named if n.lower() == "server" and v != SERVER_NAME]
    return found + ["a secret" for secret in secrets if secret in everything]
