"""What a start on this machine adds to the environment, and how a command by hand gets the same.

``python -m config.local COMMAND…`` runs `manage.py COMMAND…` with it: against the database that `make run`
started, or the one that DATABASE_URL names.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path

import environ

BASE = Path(__file__).resolve().parent.parent

# Fifty players on one address would stand still at the defaults. What the operator has set stays.
DEMO_LIMITS = {
    "LIMIT_IP": "6000/minute",
    "LIMIT_SIGN_IN": "600/minute",
    "LIMIT_SIGN_UP": "600/minute",
    "LIMIT_ACTIONS": "2000/hour",
}


def home() -> Path:
    """SCOREBOARD_HOME, absolute, after reading .env; a variable that is set already beats .env."""
    environ.Env.read_env(BASE / ".env", overwrite=False)
    folder = Path(os.environ.get("SCOREBOARD_HOME") or BASE / ".local").absolute()
    os.environ["SCOREBOARD_HOME"] = str(folder)
    return folder


def secret_key(folder: Path) -> str:
    """SECRET_KEY, or else this home's own: made once, so that sessions and tokens outlive a restart."""
    given = os.environ.get("SECRET_KEY")
    if given:
        return given
    path = folder / "secret_key"
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
        partial.replace(path)
    return path.read_text(encoding="ascii")


def remember(folder: Path, variables: dict[str, str]) -> Path:
    """Write down what a start added, for commands by hand; to be removed when it ends."""
    path = folder / "environment.json"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(variables, file)
    return path


def main(command: list[str]) -> None:
    folder = home()
    remembered = folder / "environment.json"
    if remembered.exists():
        for name, value in json.loads(remembered.read_text(encoding="utf-8")).items():
            os.environ.setdefault(name, value)
    elif not os.environ.get("DATABASE_URL"):
        sys.exit(f"No scoreboard runs in {folder}: start it with `make run`, or set DATABASE_URL.")
    os.execv(sys.executable, [sys.executable, str(BASE / "manage.py"), *command])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
