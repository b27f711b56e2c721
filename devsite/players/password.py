"""The demo players' password: random, one for all of them, kept in SCOREBOARD_HOME and nowhere else."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path


def shared_password(home: Path) -> str:
    """Made at the first call; readable by this user alone."""
    path = home / "demo_password"
    if not path.exists():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=home, encoding="ascii") as fresh:
            fresh.write("p-" + secrets.token_hex(16))
            fresh.flush()
            # Another start may have been faster; then its password is the one.
            with suppress(FileExistsError):
                os.link(fresh.name, path)
    return path.read_text(encoding="ascii")
