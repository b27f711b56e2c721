"""SCOREBOARD_HOME: the one folder of local state, used by one start at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from config.child import Refusal

_LINGER_SECONDS = 20.0
# A socket's path holds 104 bytes on macOS, 108 on Linux; the longest put here is '/pg/.s.PGSQL.5432'.
_SOCKET_FOLDER_BYTES = 80


@contextmanager
def held(home: Path) -> Iterator[int]:
    """Hold `home` (made if missing, 0700) while the block runs; yields the lock's file descriptor.

    Servers inherit the descriptor, so the lock stays until the last of them has ended: whoever gets it knows
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
    # The temp folder is everybody's: somebody else may have been there first under this name.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o067:
        raise Refusal(f"{folder} is not a private folder of this user; remove it, or set a shorter SCOREBOARD_HOME.")
    _empty(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
