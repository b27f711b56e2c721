"""As whom the embedded PostgreSQL runs: as the user who starts it; as root, which it refuses, as another account.

Root in a Linux user namespace is an ordinary uid to PostgreSQL while the kernel still treats it as the owner of root's
files: a data folder below a 0700 folder works, and no permission has to be loosened.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devsite.process import Refusal

_CLONE_NEWUSER = 0x10000000
_INSTEAD = "Run as an ordinary user, or set DATABASE_URL to a PostgreSQL."


@dataclass(frozen=True)
class Account:
    """`uid` and `gid` own the files, seen from outside; `options` are Popen's arguments that become it."""

    uid: int
    gid: int
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def for_postgres(cls, home: Path, program: Path, sockets: Path) -> Account:
        """The present user; as root, root in a user namespace; where the kernel has none, a system account.

        The last way needs folders that account can enter. Refusal when one of them is not the scoreboard's to open.
        """
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        entry = ordinary_account()
        if namespaces_work(str(program), entry.pw_uid):
            return cls(0, 0, {"preexec_fn": lambda: enter_namespace(entry.pw_uid)})
        ours = {home, sockets.parent}
        for folder in {*home.parents, *program.parents, *sockets.parent.parents} - ours:
            if not folder.stat().st_mode & stat.S_IXOTH:
                raise Refusal(
                    "PostgreSQL does not run as root, this kernel grants no user namespace, and "
                    f"the account '{entry.pw_name}' may not enter {folder}, which stays closed. {_INSTEAD}"
                )
        for folder in ours:
            # Enter, not list; for that account's group only, and only what is the scoreboard's own.
            os.chown(folder, 0, entry.pw_gid)
            folder.chmod(0o710)
        return cls(entry.pw_uid, entry.pw_gid, {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []})

    def own(self, folder: Path) -> None:
        """Give `folder` and all in it to this account, if they are another's."""
        if folder.stat().st_uid == self.uid:
            return
        if os.geteuid() != 0:
            raise Refusal(
                f"{folder} belongs to another user ({folder.stat().st_uid}): use another SCOREBOARD_HOME, "
                "or give the folder to the user who starts the scoreboard."
            )
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def ordinary_account() -> pwd.struct_passwd:
    """An account other than root that has a name here: initdb looks its user up."""
    named = {entry.pw_name: entry for entry in reversed(pwd.getpwall()) if entry.pw_uid != 0}
    if not named:
        raise Refusal(f"PostgreSQL does not run as root, and there is no other account here. {_INSTEAD}")
    return named.get("postgres") or named.get("nobody") or next(reversed(named.values()))


def enter_namespace(uid: int) -> None:
    """Move this process into a new namespace where it is `uid`, between fork and exec; raises OSError."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER) failed")
    # The kernel demands "deny" before gid_map: dropping a group could open files that keep that group out.
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} 0 1"), ("gid_map", f"{uid} 0 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(line)


def namespaces_work(program: str, uid: int) -> bool:
    """Whether the kernel grants such a namespace (containers often do not) and `program` starts in it."""
    if sys.platform != "linux":
        return False
    try:
        probe = subprocess.run(
            [program, "--version"], preexec_fn=lambda: enter_namespace(uid), capture_output=True, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return probe.returncode == 0
