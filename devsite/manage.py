"""``python -m devsite.manage COMMAND…``: `manage.py COMMAND…` beside a running `make run`, or on DATABASE_URL."""

from __future__ import annotations

import json
import os
import sys

from devsite import home


def main(command: list[str]) -> None:
    folder = home.find()
    noted = home.environment_file(folder)
    if noted.exists():
        # All of it, and nothing else: with one setting of another shell the command would work on another site.
        terminal = {name: os.environ[name] for name in ("TERM", "COLUMNS", "LINES") if name in os.environ}
        os.environ.clear()
        os.environ.update(json.loads(noted.read_text(encoding="utf-8")), **terminal)
    elif not os.environ.get("DATABASE_URL"):
        sys.exit(
            f"No scoreboard runs in {folder}: start it with `make run`. If it runs elsewhere, set its SCOREBOARD_HOME, "
            "or DATABASE_URL."
        )
    os.execv(sys.executable, [sys.executable, str(home.BASE / "manage.py"), *command])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
