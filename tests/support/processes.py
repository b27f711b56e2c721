"""Other processes of the tests: Python on the site's code, web and live servers, a Redis of one's own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
# Seconds; how long a condition may take on a busy machine before it counts as never.
PATIENCE = float(os.environ.get("PATIENCE", "180"))


def environment(**changes: str) -> dict[str, str]:
    """What a process needs to work on this test's database and Redis keys."""
    url = urlsplit(os.environ["DATABASE_URL"])
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": urlunsplit(url._replace(path=f"/{connection.settings_dict['NAME']}")),
        "REDIS_KEY_PREFIX": settings.REDIS_KEY_PREFIX,
        "SECRET_KEY": settings.SECRET_KEY,
        "PYTHONPATH": str(ROOT),
        "LOG_FORMAT": "console",
        **{f"LIMIT_{name.upper().replace('-', '_')}": "off" for name in settings.LIMITS},
        **changes,
    }


def python(code: str, *arguments: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    """Runs `code` in a process of its own, with Django set up, to its end; `changes` are of the environment."""
    return subprocess.run(
        [sys.executable, "-c", f"import django\ndjango.setup()\n{code}", *arguments],
        env=environment(**changes),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def eventually(condition: Callable[[], T | None], what: str = "", seconds: float = PATIENCE) -> T:
    """The first true answer of `condition`, asked again and again; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what or condition}"
        time.sleep(0.01)
    return answer


@contextmanager
def running(command: list[str], env: Mapping[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process in a group of its own, with all its output in `log`; gone when the block is left."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=dict(env), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)


def listens(port: int) -> bool:
    """Whether anything on this machine takes connections at the port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=PATIENCE):
        return True
    return False
