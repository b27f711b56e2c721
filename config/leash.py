"""A child that does not outlive its parent: Linux signals it when the parent ends, however the parent ended.

Elsewhere nothing is done here and a child of a killed supervisor has to be stopped by hand.

``python -m config.leash COMMAND…`` puts the leash on itself and becomes COMMAND.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with(parent: int, signum: signal.Signals) -> None:
    """Have the kernel send `signum` to this process once process `parent` ends.

    To be called between fork and exec, or from the main thread. A change of credentials takes the leash off
    (prctl(2)), so those changes come first. The kernel watches the *thread* that forked: fork from a
    lasting one.
    """
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    # The parent may have ended before the leash was on: nobody would tell us any more.
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def main(command: list[str]) -> None:
    """Become `command`, ended by SIGTERM when the present parent ends."""
    if not command:
        sys.exit("expected: python -m config.leash COMMAND…")
    die_with(os.getppid(), signal.SIGTERM)
    try:
        os.execvp(command[0], command)  # noqa: S606  (becoming that program is what this is for)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
