"""`make run` as a stranger types it: in a fresh clone, with the machine's own services and any network out of reach.

The clone uses the virtual environment of this run; how one is installed is for `tests/devsite/test_install.py`.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import websockets.sync.client

from devsite import install
from tests.support.processes import PATIENCE, ROOT
from tests.system.live.server import free_port

START_SECONDS = 900.0  # its environment is made first
STOP_SECONDS = 60.0
AS_ROOT = os.geteuid() == 0 and sys.platform == "linux"
# What the operator may have set must not reach the clone.
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "USER", "TMPDIR") if name in os.environ}

Start = Callable[..., "Site"]

libc = ctypes.CDLL(None, use_errno=True)


class Site:
    """One `make run`, up and announced."""

    def __init__(self, clone: Path, *, user: str | None = None, **settings: str) -> None:
        self.clone = clone
        self.port = free_port()
        self.log = clone.parent / f"{clone.name}-{self.port}.log"
        prefixes = [sys.base_prefix, sys.prefix]
        sandbox = [sys.executable, "-I", str(ROOT / "tests" / "support" / "sandbox.py")] if AS_ROOT else []
        if user:
            sandbox += ["--as", user, *(word for prefix in prefixes for word in ("--show", prefix))]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*sandbox, "make", "run", f"VENV={sys.prefix}", f"PYTHON={sys.prefix}/bin/python", f"PORT={self.port}"],
                cwd=clone,
                env={**ENVIRONMENT, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Until it is announced."""
        deadline = time.monotonic() + START_SECONDS
        while f"The scoreboard is up: http://127.0.0.1:{self.port}/" not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def everybody(self) -> list[psutil.Process]:
        make = psutil.Process(self.process.pid)
        return [make, *make.children(recursive=True)]

    def close(self) -> None:
        """Whatever state it is in."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """Ctrl-C, as a terminal sends it: to the whole group. Nothing may be left."""
        everybody = self.everybody()
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(STOP_SECONDS)
        left = psutil.wait_procs(everybody, timeout=STOP_SECONDS)[1]
        assert [command(one) for one in left] == []
        assert "Traceback" not in self.said(), self.said()

    def connect(self) -> socket.socket:
        """A connection to the one URL, from inside the site's own network."""
        with network_of(self.process.pid):
            return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def get(self, path: str) -> bytes:
        """The body of a page that answers 200."""
        with self.connect() as connection:
            host = f"127.0.0.1:{self.port}"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), answer
        return body

    def top(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.get("/api/v1/scoreboard/top?limit=100"))["data"]
        return rows

    def scores(self) -> int:
        return sum(row["score"] for row in self.top())

    def manage(self, command: str) -> str:
        """`make manage` beside it, in the same place: what it printed, after the exit code."""
        inside = ["nsenter", f"--net=/proc/{self.process.pid}/ns/net"] if AS_ROOT else []
        done = subprocess.run(
            [
                *inside,
                "make",
                "-s",
                "manage",
                f"VENV={sys.prefix}",
                f"PYTHON={sys.prefix}/bin/python",
                f"COMMAND={command}",
            ],
            cwd=self.clone,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        return f"{done.returncode} {done.stdout}{done.stderr}"


@contextmanager
def network_of(pid: int) -> Iterator[None]:
    """Sockets that this thread opens meanwhile belong to the network of process `pid`."""
    if not AS_ROOT:
        yield
        return
    with Path("/proc/thread-self/ns/net").open() as ours, Path(f"/proc/{pid}/ns/net").open() as theirs:
        assert libc.setns(theirs.fileno(), 0) == 0
        try:
            yield
        finally:
            assert libc.setns(ours.fileno(), 0) == 0


def command(process: psutil.Process) -> str:
    """Its first words; none when it has ended by now, reaped or not."""
    try:
        return " ".join(process.cmdline()[:3])
    except psutil.NoSuchProcess:
        return ""


def owners(processes: list[psutil.Process]) -> set[str]:
    """Who those run as that have not ended by now."""
    found = set()
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            found.add(one.username())
    return found


def cloned(place: Path) -> Path:
    """A fresh clone of what is committed, and an environment that needs no installing."""
    install.main(Path(sys.prefix), [ROOT / "requirements.txt"])
    subprocess.run(["git", "clone", "--quiet", ROOT, place], check=True)
    return place


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In a folder that no other user may enter."""
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)
    return cloned(closed / "clone")


@pytest.fixture(scope="module")
def site(clone: Path) -> Iterator[Site]:
    """One start for the tests that only look at it."""
    site = Site(clone)
    try:
        site.wait()
        yield site
    finally:
        site.close()


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts others; none outlives its test."""
    sites: list[Site] = []

    def one_more(clone: Path, **options: str) -> Site:
        sites.append(Site(clone, **options))
        sites[-1].wait()
        return sites[-1]

    yield one_more
    for site in sites:
        site.close()


def test_it_says_where_it_is_and_who_can_sign_in(site: Site) -> None:
    said = site.said()
    assert re.search(r"admin +admin-demo\n", said)
    assert re.search(r"alice +alice-demo\n", said)
    assert "LIMIT_SIGN_UP=600/minute" in said


def test_the_page_and_the_api_answer_at_one_url(site: Site) -> None:
    assert b"<html" in site.get("/")
    assert len(site.top()) >= 10


@pytest.mark.long
def test_a_viewer_sees_real_players_climb_through_the_same_url(site: Site) -> None:
    uri = f"ws://127.0.0.1:{site.port}/scoreboard/live"
    with websockets.sync.client.connect(uri, sock=site.connect(), open_timeout=PATIENCE, ping_interval=None) as viewer:
        assert json.loads(viewer.recv(PATIENCE))["type"] == "connection_success"
        seqs: list[int] = []
        while len(seqs) < 3:  # each is a change that a player's redemption made
            message = json.loads(viewer.recv(PATIENCE))
            if message["type"] == "leaderboard_update":
                seqs.append(message["seq"])
    assert seqs == sorted(set(seqs))


def test_commands_by_hand_meet_the_running_site(site: Site) -> None:
    answer = site.manage("reconcile_leaderboard")
    assert answer.startswith("0 "), answer


def test_nothing_outside_the_clone_was_opened(site: Site) -> None:
    assert site.clone.parent.stat().st_mode & 0o777 == 0o700
    assert (site.clone / ".local").stat().st_mode & 0o777 == 0o700


@pytest.mark.long
def test_a_second_copy_runs_beside_the_first(site: Site, start: Start, tmp_path: Path) -> None:
    second = start(site.clone, SCOREBOARD_HOME=str(tmp_path / "home"), DEMO="0")
    assert b"<html" in second.get("/")
    assert second.top() == []
    assert b"<html" in site.get("/")
    second.stop()


def test_the_same_home_or_port_is_refused_before_anything_starts(site: Site, tmp_path: Path) -> None:
    def refused(**settings: str) -> str:
        inside = ["nsenter", f"--net=/proc/{site.process.pid}/ns/net"] if AS_ROOT else []
        done = subprocess.run(
            [*inside, "make", "run", f"VENV={sys.prefix}", f"PYTHON={sys.prefix}/bin/python"],
            cwd=site.clone,
            env={**ENVIRONMENT, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        return done.stderr

    assert "A scoreboard is already running in" in refused(PORT=str(free_port()))
    elsewhere = tmp_path / "home"
    assert f"Cannot listen on 127.0.0.1 port {site.port}" in refused(
        PORT=str(site.port), SCOREBOARD_HOME=str(elsewhere)
    )
    assert not elsewhere.exists()


def test_ctrl_c_ends_everything_and_data_survive(site: Site, start: Start) -> None:
    before = site.scores()
    site.stop()
    again = start(site.clone, DEMO="0")
    assert again.scores() >= before > 0
    again.stop()


@pytest.mark.parametrize(
    "name",
    [
        "config.server",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("celery", "postgres", "valkey-server")),
    ],
)
def test_a_process_that_ends_by_itself_ends_everything(site: Site, start: Start, name: str) -> None:
    site.close()
    another = start(site.clone, DEMO="0")
    everybody = another.everybody()
    next(one for one in everybody if name in command(one)).kill()
    assert another.process.wait(STOP_SECONDS) != 0
    assert psutil.wait_procs(everybody, timeout=STOP_SECONDS)[1] == []
    assert "ended by itself, so everything was stopped." in another.said()


@pytest.mark.long
def test_a_supervisor_that_is_killed_leaves_nothing_behind(site: Site, start: Start) -> None:
    site.close()
    everybody = start(site.clone).everybody()
    supervisor = next(one for one in everybody if "devsite.run" in command(one))
    supervisor.kill()
    assert psutil.wait_procs(everybody, timeout=STOP_SECONDS)[1] == []


if AS_ROOT:

    @pytest.fixture
    def folder_of_nobody() -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="ordinary-"))
        yield folder
        shutil.rmtree(folder)

    @pytest.mark.long
    def test_an_ordinary_user_runs_it_too(folder_of_nobody: Path, start: Start) -> None:
        clone = cloned(folder_of_nobody / "clone")
        subprocess.run(["chown", "-R", "nobody", folder_of_nobody], check=True)
        site = start(clone, user="nobody")
        assert owners(site.everybody()) == {"nobody"}
        assert len(site.top()) >= 10
        site.stop()
