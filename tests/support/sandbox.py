"""``python -I sandbox.py [--as USER] [--show PATH]… COMMAND…``: COMMAND out of reach of this machine. Root only.

It has a network of its own with nothing but a loopback; as USER if wanted, who can then read each PATH although a
folder above it is closed to them. Nothing outside changes: what is mounted is mounted in there only.
"""

import argparse
import ctypes
import fcntl
import os
import pwd
import socket
import stat
import struct
import tempfile
from pathlib import Path

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--as", dest="user")
    parser.add_argument("--show", type=Path, action="append", default=[])
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    check(libc.unshare(CLONE_NEWNET | CLONE_NEWNS))
    mount(None, "/", MS_REC | MS_PRIVATE)
    loopback_up()
    if options.user:
        closed = {top for path in options.show if (top := first_closed(path))}
        for top in closed:
            open_up(top, [path for path in options.show if path.is_relative_to(top)])
        become(options.user)
    os.execvp(options.command[0], options.command)  # noqa: S606


def check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source: Path | None, target: Path | str, flags: int, kind: str | None = None, data: str = "") -> None:
    parts = [None if part is None else os.fsencode(part) for part in (source, target, kind)]
    check(libc.mount(*parts, ctypes.c_ulong(flags), data.encode()))


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))


def first_closed(path: Path) -> Path | None:
    """The topmost folder above `path` that not everybody may enter."""
    return next((top for top in reversed(path.parents) if not top.stat().st_mode & stat.S_IXOTH), None)


def open_up(top: Path, paths: list[Path]) -> None:
    """In here, make `top` an empty folder that everybody may enter, with `paths` in their old places."""
    with tempfile.TemporaryDirectory() as folder:
        held = {path: Path(folder) / str(number) for number, path in enumerate(paths)}
        for path, place in held.items():
            place.mkdir()
            mount(path, place, MS_BIND | MS_REC)
        mount(None, top, 0, "tmpfs", "mode=755")
        for path, place in held.items():
            path.mkdir(parents=True, exist_ok=True)
            mount(place, path, MS_BIND | MS_REC)
            check(libc.umount2(os.fsencode(place), 2))


def become(name: str) -> None:
    user = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ["HOME"] = user.pw_dir


if __name__ == "__main__":
    main()
