"""The API key by which the demo's players win matches and the quiz awards points (examples/quiz).

Made with the demo, kept in SCOREBOARD_HOME and nowhere else.
"""

from pathlib import Path

from accounts import api_keys
from accounts.models import ApiKey
from devsite.home import demo_key_file, write_private

SCOPES: list[str] = [ApiKey.Scope.MINT, ApiKey.Scope.AWARD, ApiKey.Scope.VIEWERS]


def ensure(home: Path) -> str:
    """The text of a key that works; a new one where the file has none, one of another database or of fewer scopes."""
    kept = read(home)
    if kept and (key := api_keys.find(kept)) and set(SCOPES) <= set(key.scopes):
        return kept
    end(home)
    _, text = api_keys.issue("Demo", SCOPES)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = demo_key_file(home).with_suffix(".new")
    write_private(fresh, text)
    fresh.replace(demo_key_file(home))
    return text


def read(home: Path) -> str:
    """What the file has; "" without one."""
    return demo_key_file(home).read_text(encoding="ascii") if demo_key_file(home).exists() else ""


def end(home: Path) -> None:
    """Revokes the key, if there is one, and forgets it."""
    if key := api_keys.find(read(home)):
        api_keys.revoke(key)
    demo_key_file(home).unlink(missing_ok=True)
