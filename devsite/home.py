"""SCOREBOARD_HOME: the one folder of local state, used by one start at a time, and what is kept in it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import environ
import psutil

from devsite.process import Refusal

BASE = Path(__file__).resolve().parent.parent
_LINGER_SECONDS = 20.0
# A socket's path holds 104 bytes on macOS, 108 on Linux; the longest put here is '/pg/.s.PGSQL.5432'.
_SOCKET_FOLDER_BYTES = 80


def find() -> Path:
    """SCOREBOARD_HOME, absolute, after reading .env; a variable that is set already beats .env."""
    environ.Env.read_env(BASE / ".env", overwrite=False)
    folder = Path(os.environ.get("SCOREBOARD_HOME") or BASE / ".local").absolute()
    os.environ["SCOREBOARD_HOME"] = str(folder)
    return folder


@contextmanager
def locked(home: Path) -> Iterator[int]:
    """Hold `home` (made if missing, 0700) while the block runs; yields the lock's file descriptor.

    Servers inherit the descriptor, so the lock stays until the last of them has ended: the start that gets it knows
    that nothing of a former start runs any more. Refusal when another start holds it.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(lock, home)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield lock
    finally:
        os.close(lock)


def _acquire(lock: int, home: Path) -> None:
    deadline = time.monotonic() + _LINGER_SECONDS
    told = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        holder = os.pread(lock, 20, 0).decode() or "unknown"
        if _alive(holder) or time.monotonic() > deadline:
            raise Refusal(
                f"A scoreboard is already running in {home} (process {holder}). Stop it first, or start this "
                "one in a home of its own: make run SCOREBOARD_HOME=… PORT=…"
            )
        if not told:
            told = True
            sys.stderr.write("Waiting for the servers of a start that was killed to end…\n")
        time.sleep(0.1)


def _alive(pid: str) -> bool:
    try:
        return bool(psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE)
    except (ValueError, psutil.NoSuchProcess):
        return False


@contextmanager
def socket_folder(home: Path) -> Iterator[Path]:
    """A private folder for Unix sockets while the block runs, with `home` held.

    Below `home`, or in the temp folder where that path is too long for a socket; emptied of what a crash left.
    """
    folder = home / "sockets"
    if len(os.fsencode(folder)) > _SOCKET_FOLDER_BYTES:
        name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"scoreboard-{os.geteuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    # The temp folder is shared: another user may have been there first under this name.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o067:
        raise Refusal(f"{folder} is not a private folder of this user; remove it, or set a shorter SCOREBOARD_HOME.")
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def secret_key(home: Path) -> str:
    """SECRET_KEY, or else this home's own: made once, so that sessions and tokens outlive a restart."""
    if given := os.environ.get("SECRET_KEY"):
        return given
    path = home / "secret_key"
    if not path.exists():
        partial = path.with_suffix(".partial")
        write_private(partial, secrets.token_urlsafe(50))
        partial.replace(path)
    return path.read_text(encoding="ascii")


def demo_key_file(folder: Path) -> Path:
    """Where the demo's API key is kept (devsite/demo_key.py)."""
    return folder / "demo_key"


def environment_file(home: Path) -> Path:
    """Where a start notes its environment for as long as it runs: `make manage` works with the same."""
    return home / "environment.json"


@contextmanager
def environment_noted(home: Path) -> Iterator[None]:
    path = environment_file(home)
    write_private(path, json.dumps(dict(os.environ)))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
