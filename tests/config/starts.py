"""Starts of the site in production."""

import subprocess
import sys

from tests.support.processes import PATIENCE, ROOT, environment

STARTS = {
    "web": [sys.executable, "-c", "import config.wsgi"],
    "live": [sys.executable, "-c", "import config.asgi"],
    "command": [sys.executable, "manage.py", "check"],
}


def start(how: str, changes: dict[str, str]) -> tuple[int, str]:
    """(exit code, all that was said) of a start of the site in production."""
    return run(STARTS[how], changes)


def run(command: list[str], changes: dict[str, str]) -> tuple[int, str]:
    env = {**environment(), "DEBUG": "0", "LOG_FORMAT": "json", **changes}
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout + done.stderr
