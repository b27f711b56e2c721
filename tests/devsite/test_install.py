"""The virtual environment of `make run` and `make test`: made once, and left alone while nothing has changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devsite import install
from tests.support.processes import ROOT

INSTALL = str(ROOT / "devsite" / "install.py")
NO_INDEX = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/nonexistent"}


def run(environment: Path, *requirements: Path) -> subprocess.CompletedProcess[str]:
    """With no package index to be had."""
    return subprocess.run(
        [sys.executable, INSTALL, environment, *requirements], env=NO_INDEX, capture_output=True, text=True, check=False
    )


def test_what_is_installed_is_not_installed_again(tmp_path: Path) -> None:
    environment, requirements = tmp_path / "venv", tmp_path / "requirements.txt"
    requirements.write_text("# nothing\n")
    first = run(environment, requirements)
    assert (first.returncode, "Installing" in first.stderr) == (0, True), first.stderr
    made = (environment / "pyvenv.cfg").stat().st_mtime_ns
    again = run(environment, requirements)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert (environment / "pyvenv.cfg").stat().st_mtime_ns == made


@pytest.mark.long
def test_what_failed_is_said_and_tried_again(tmp_path: Path) -> None:
    environment, requirements = tmp_path / "venv", tmp_path / "requirements.txt"
    requirements.write_text(f"no-such-thing==1.0 --hash=sha256:{'0' * 64}\n")
    for _ in range(2):
        failed = run(environment, requirements)
        assert failed.returncode == 1
        assert f"Installing {requirements} failed" in failed.stderr


@pytest.mark.long
def test_other_requirements_or_another_python_are_installed(tmp_path: Path) -> None:
    environment, requirements = tmp_path / "venv", tmp_path / "requirements.txt"
    requirements.write_text("# nothing\n")
    assert run(environment, requirements).returncode == 0
    requirements.write_text("# nothing else\n")
    assert "Installing" in run(environment, requirements).stderr
    stamp = install.stamp_of(environment, requirements)
    stamp.write_text(stamp.read_text().replace(install.PYTHON, "3.10"))
    assert "Installing" in run(environment, requirements).stderr


@pytest.mark.long
def test_two_starts_at_one_moment_install_once(tmp_path: Path) -> None:
    environment, requirements = tmp_path / "venv", tmp_path / "requirements.txt"
    requirements.write_text("# nothing\n")
    both = [
        subprocess.Popen(
            [sys.executable, INSTALL, environment, requirements], env=NO_INDEX, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = "".join(process.communicate()[1] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said.count("Installing") == 1


def test_python_that_is_too_old_is_refused_by_name(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1\nexit 1\n')
    old.chmod(0o755)
    refused = subprocess.run(
        ["make", "--no-print-directory", "run", f"PYTHON={old}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0
    assert f"Python 3.11 or newer is needed; {old} is Python 3.9.1." in refused.stderr
