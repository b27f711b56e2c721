"""Root without root's name: a Linux user namespace in which uid 0 outside is an ordinary uid inside.

PostgreSQL refuses to run as uid 0. In such a namespace it sees an ordinary uid while the kernel still
treats it as the owner of root's files, so a data folder below a 0700 folder works and no permission has to
be loosened for it.
"""

from __future__ import annotations

import ctypes
import pwd
import subprocess
import sys

_CLONE_NEWUSER = 0x10000000


def inner_uid() -> int:
    """A uid other than 0 that has a name here: initdb wants to look its user up."""
    named = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0}
    for name in ("postgres", "nobody"):
        if name in named:
            return named[name]
    return next(iter(named.values()), 1000)


def enter(uid: int) -> None:
    """Move this process into a new namespace where it is `uid`, between fork and exec; raises OSError."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER) failed")
    # The kernel demands "deny" before gid_map: dropping a group could open files that keep that group out.
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} 0 1"), ("gid_map", f"{uid} 0 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(line)


def works_for(program: str) -> bool:
    """Whether the kernel grants such a namespace (containers often do not) and `program` starts in it."""
    if sys.platform != "linux":
        return False
    uid = inner_uid()
    try:
        probe = subprocess.run([program, "--version"], preexec_fn=lambda: enter(uid), capture_output=True, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return probe.returncode == 0
