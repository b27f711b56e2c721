"""``python3 devsite/install.py VENV REQUIREMENTS…``: the virtual environment, made once and left alone afterwards.

Runs before anything is installed, on Python's own library. A stamp in the environment says what was
installed into it; while it matches the requirement files and Python's version nothing is done and no
network is needed.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PYTHON = "{}.{}".format(*sys.version_info)


def main(environment: Path, requirements: list[Path]) -> None:
    stamps = {path: f"{PYTHON} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in requirements}
    if not stale(environment, stamps):
        return
    with alone(environment):
        if python_of(environment) != PYTHON:
            shutil.rmtree(environment, ignore_errors=True)
            make(environment)
        for path in stale(environment, stamps):  # asked again: another start may just have installed it
            sys.stderr.write(f"Installing what {path} locks into {environment} (once)…\n")
            install(environment, path)
            stamp_of(environment, path).write_text(stamps[path], encoding="utf-8")


def stale(environment: Path, stamps: dict[Path, str]) -> list[Path]:
    return [path for path, stamp in stamps.items() if read(stamp_of(environment, path)) != stamp]


@contextmanager
def alone(environment: Path) -> Iterator[None]:
    """Two starts in one checkout must not install into one environment at the same moment."""
    with Path(f"{environment}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stamp_of(environment: Path, requirements: Path) -> Path:
    return environment / f"{requirements.name}.installed"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def python_of(environment: Path) -> str:
    """The version of the environment's interpreter, "" when it has none that runs."""
    script = "import sys; print('{}.{}'.format(*sys.version_info))"
    try:
        found = subprocess.run(
            [environment / "bin" / "python", "-c", script], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()


def make(environment: Path) -> None:
    try:
        venv.create(environment, with_pip=True, symlinks=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(environment, ignore_errors=True)
        sys.exit(
            f"{sys.executable} cannot make virtual environments (ensurepip is missing). On Debian and Ubuntu: "
            "apt install python3-venv. Or name another Python: make PYTHON=python3.12 …"
        )


def install(environment: Path, requirements: Path) -> None:
    # The lock is complete, so pip need not look for dependencies; the hashes make it exactly these files.
    command = [
        *(str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"),
        *("--disable-pip-version-check", "--require-hashes", "--no-deps", "--requirement", str(requirements)),
    ]
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit(f"Installing {requirements} failed; the reason is above. The next start tries again.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
