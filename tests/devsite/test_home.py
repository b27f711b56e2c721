"""What a start on one machine adds to the environment, and what it says of itself."""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from devsite import address, home, run
from devsite.players import people
from devsite.process import Refusal
from tests.support.processes import PATIENCE, ROOT

# Read by the site or by `make run`, and of no use in .env.
INTERNAL = {"CHROMIUM", "PATH", "PATH_INFO", "PYTHONWARNINGS", "DJANGO_SETTINGS_MODULE"}
APPS = ("api", "accounts", "scoreboard", "actions", "leaderboard", "integrity", "events", "overview")


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
        f"No scoreboard runs in {tmp_path}: start it with `make run`. If it runs elsewhere, set its SCOREBOARD_HOME, "
        "or DATABASE_URL."
    )


def test_a_command_by_hand_works_with_the_settings_of_the_site_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with no setting of the shell that it was typed in."""
    monkeypatch.setenv("REDIS_URL", "redis://there:6379/3")
    monkeypatch.setenv("EMAIL_FROM", "Zoë <zoe@example.org>")
    monkeypatch.setenv("DATABASE_URL", os.environ["DATABASE_URL"])
    with home.environment_noted(tmp_path):
        other = {
            "REDIS_URL": "redis://elsewhere:6379/0",
            "REDIS_KEY_PREFIX": "another:",
            "SCOREBOARD_HOME": str(tmp_path),
        }
        code = "import os; print([os.environ.get(name) for name in ('REDIS_URL', 'EMAIL_FROM', 'REDIS_KEY_PREFIX')])"
        done = subprocess.run(
            [sys.executable, "-m", "devsite.manage", "shell", "--verbosity", "0", "--command", code],
            cwd=ROOT,
            env={**os.environ, **other},
            capture_output=True,
            text=True,
            check=False,
        )
    prefix = os.environ.get("REDIS_KEY_PREFIX")
    assert done.stdout.strip() == str(["redis://there:6379/3", "Zoë <zoe@example.org>", prefix]), done.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"BIND": "0.0.0.0"}, "BIND=0.0.0.0 would offer the demo's documented sign-ins"),  # noqa: S104
        ({"BIND": "::", "DEMO": "1"}, "start with DEMO=0"),
        ({"BIND": "scores.example.org"}, "to the network"),
        ({"DEMO": "false"}, "DEMO is 'false'; expected 1, 0 or public."),
        ({"LOCAL_ACCOUNTS": "off"}, "start with DEMO=0"),
    ],
)
def test_the_demo_s_sign_ins_are_not_for_the_network_unless_said_so(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    for name in ("BIND", "DEMO", "LOCAL_ACCOUNTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Refusal) as refusal:
        run.with_demo()
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "demo"),
    [
        ({}, True),
        ({"BIND": "::1"}, True),
        ({"BIND": "localhost", "HOST": "0.0.0.0"}, True),  # noqa: S104
        ({"BIND": "0.0.0.0", "DEMO": "0"}, False),  # noqa: S104
        ({"BIND": "0.0.0.0", "DEMO": "public"}, True),  # noqa: S104
    ],
)
def test_the_control_others_start(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], demo: bool) -> None:
    for name in ("BIND", "DEMO", "LOCAL_ACCOUNTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert run.with_demo() is demo
    assert address.host() == settings.get("BIND", "127.0.0.1")


def test_https_without_a_proxy_that_is_believed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS", "true")
    with pytest.raises(Refusal, match="TRUSTED_PROXIES"):
        run.demand_proxy()
    monkeypatch.setenv("TRUSTED_PROXIES", "")
    with pytest.raises(Refusal, match="TRUSTED_PROXIES"):
        run.demand_proxy()
    monkeypatch.setenv("TRUSTED_PROXIES", "1")
    run.demand_proxy()
    monkeypatch.setenv("HTTPS", "ture")
    with pytest.raises(Refusal, match="HTTPS is 'ture'"):
        run.demand_proxy()


CHATTY = """
import sys
from devsite.process import Child, say
sys.stdin.readline()  # until nothing reads any more
child = Child("chatty")
child.start([sys.executable, "-c", "for number in range(200_000): print(number)"])
say("up\\n", sys.stdout)
sys.exit(child.wait())
"""


@pytest.mark.parametrize("output", ["a pipe that nothing reads", "a full disk"])
def test_a_site_whose_output_has_nowhere_to_go_goes_on(output: str) -> None:
    with ExitStack() as stack:
        target = subprocess.PIPE if output.startswith("a pipe") else stack.enter_context(open("/dev/full", "wb"))
        process = subprocess.Popen(
            [sys.executable, "-c", CHATTY], cwd=ROOT, stdin=subprocess.PIPE, stdout=target, stderr=subprocess.PIPE
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        if process.stdout is not None:
            process.stdout.close()
        _, said = process.communicate(b"\n", timeout=PATIENCE)
    assert (process.returncode, said) == (0, b"")


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
    assert f"The scoreboard is up: {url}\n" in run.announcement(host, 8000, demo=False, quiz=None)


def test_every_setting_is_in_the_example_once() -> None:
    """And nothing that is not one."""
    readers = r"env\.\w+\(|(?:amounts|choice|flag|items|numbers?|whole)\(|environ(?:\.get\(|\[)"
    read = re.compile(rf"""(?:{readers})\s*["']([A-Z][A-Z0-9_]+)["']""")
    sources = [path for name in (*APPS, "config", "devsite") for path in (ROOT / name).rglob("*.py")]
    settings = {name for path in sources for name in read.findall(path.read_text())} - INTERNAL
    example = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert sorted(example) == sorted(settings)
