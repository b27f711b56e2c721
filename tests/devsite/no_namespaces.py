"""``python no_namespaces.py COMMAND…``: COMMAND as root where the kernel grants no further user namespaces.

As in most containers. Root in here is root outside, and the other accounts exist.
"""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000


def main(command: list[str]) -> None:
    ready, mapped = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        if ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
            sys.exit("This test needs user namespaces to take them away.")
        os.write(ready[1], b"!")
        os.read(mapped[0], 1)
        os.setgid(0)
        os.setuid(0)
        write("/proc/sys/user/max_user_namespaces", "0")
        os.execvp(command[0], command)  # noqa: S606
    os.read(ready[0], 1)
    for name in ("uid_map", "gid_map"):
        write(f"/proc/{child}/{name}", "0 0 65536")
    os.write(mapped[1], b"!")
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
