"""Programs that some tests need beside Python: found, installed where that is possible, or those tests are left out."""

import os
import shutil
import subprocess
import sys

import pytest

FOLDERS = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")
NOT_HERE = "is not installed, and only root could install it here"


def needed(program: str, package: str) -> str:
    """The program's path; installed from the distribution when that is possible here."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *FOLDERS])
    if found := shutil.which(program, path=path):
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip(f"{program} {NOT_HERE}")
    # Two files of tests may need a program at one moment; dpkg lets one in at a time, and the other waits.
    wait = ("-o", "DPkg::Lock::Timeout=300", "-qq")
    subprocess.run(["apt-get", "update", *wait], check=True, stdout=sys.stderr)
    subprocess.run(
        ["apt-get", "install", "-y", *wait, package],
        check=True,
        stdout=sys.stderr,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if found := shutil.which(program, path=path):
        return found
    raise AssertionError(f"{package} brought no {program}")
