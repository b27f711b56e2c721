"""As whom the embedded PostgreSQL runs: as ourselves; as root, which it refuses, as somebody else."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config import userns
from config.child import Refusal

_INSTEAD = "Run as an ordinary user, or set DATABASE_URL to a PostgreSQL."


@dataclass(frozen=True)
class Account:
    """`uid` and `gid` own the files, seen from outside; `options` are Popen's arguments that become it."""

    uid: int
    gid: int
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def for_postgres(cls, home: Path, program: Path, sockets: Path) -> Account:
        """Ourselves; as root, root in a user namespace; where the kernel has none, a system account.

        The last way needs folders that account can enter. Refusal when one of them is not ours to open.
        """
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        if userns.works_for(str(program)):
            uid = userns.inner_uid()
            return cls(0, 0, {"preexec_fn": lambda: userns.enter(uid)})
        return cls._system_account(home, program, sockets)

    @classmethod
    def _system_account(cls, home: Path, program: Path, sockets: Path) -> Account:
        entry = pwd.getpwuid(userns.inner_uid())
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
        return cls(
            entry.pw_uid,
            entry.pw_gid,
            {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []},
        )

    def own(self, folder: Path) -> None:
        """Give `folder` and all in it to this account, if they are somebody else's."""
        if folder.stat().st_uid == self.uid:
            return
        if os.geteuid() != 0:
            raise Refusal(
                f"{folder} belongs to another user ({folder.stat().st_uid}): use another SCOREBOARD_HOME, "
                "or give the folder to the user who starts the scoreboard."
            )
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
