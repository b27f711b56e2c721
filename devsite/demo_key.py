"""The API key by which the demo's players win matches: made with the demo, kept in SCOREBOARD_HOME and nowhere else."""

import os
from pathlib import Path

from accounts import api_keys
from accounts.models import ApiKey


def path(home: Path) -> Path:
    return home / "demo_key"


def ensure(home: Path) -> str:
    """The text of a key that works; a new one where the file has none, or one of another database."""
    kept = read(home)
    if kept and api_keys.find(kept):
        return kept
    _, text = api_keys.issue("Demo players", [ApiKey.Scope.MINT])
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path(home).with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    fresh.replace(path(home))
    return text


def read(home: Path) -> str:
    """What the file has; "" without one."""
    return path(home).read_text(encoding="ascii") if path(home).exists() else ""


def end(home: Path) -> None:
    """Revokes the key, if there is one, and forgets it."""
    if key := api_keys.find(read(home)):
        api_keys.revoke(key)
    path(home).unlink(missing_ok=True)
