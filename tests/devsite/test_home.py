"""What a start on one machine adds to the environment, and what it says of itself."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from devsite import home, run
from devsite.players import people
from tests.system.live.server import ROOT

# Read by the site or by `make run`, and of no use in .env.
INTERNAL = {"PATH", "PYTHONWARNINGS", "DJANGO_SETTINGS_MODULE"}


def test_the_secret_is_made_once_and_is_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY")
    secret = home.secret_key(tmp_path)
    assert len(secret) >= 50
    assert home.secret_key(tmp_path) == secret
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_a_secret_that_was_given_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "given")
    assert home.secret_key(tmp_path) == "given"
    assert list(tmp_path.iterdir()) == []


def test_a_command_by_hand_needs_a_database(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    refused = subprocess.run(
        [sys.executable, "-m", "devsite.manage", "check"],
        cwd=ROOT,
        env={**environment, "SCOREBOARD_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr.strip() == (
        f"No scoreboard runs in {tmp_path}: start it with `make run`, or set DATABASE_URL."
    )


def test_the_logins_that_are_announced_are_the_demos() -> None:
    assert list(run.LOGINS) == [(account.username, account.password) for account in people.ACCOUNTS]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/"),
        ("0.0.0.0", "http://127.0.0.1:8000/"),  # noqa: S104
        ("::", "http://[::1]:8000/"),
        ("scores.example.org", "http://scores.example.org:8000/"),
    ],
)
def test_the_url_that_is_announced_can_be_opened(host: str, url: str) -> None:
    assert f"The scoreboard is up: {url}\n" in run.announcement(host, 8000, demo=False)


def test_every_setting_is_in_the_example_once() -> None:
    """And nothing that is not one."""
    read = re.compile(r"""(?:env\.\w+\(|environ(?:\.get\(|\[))\s*["']([A-Z][A-Z0-9_]+)["']""")
    sources = [
        path
        for name in ("config", "devsite", "api", "accounts", "scoreboard", "actions", "leaderboard")
        for path in (ROOT / name).rglob("*.py")
    ]
    settings = {name for path in sources for name in read.findall(path.read_text())} - INTERNAL
    example = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert sorted(example) == sorted(settings)
