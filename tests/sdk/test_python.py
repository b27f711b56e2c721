"""The Python kit as a site developer has it: built, installed into a fresh folder, used on the running site."""

import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from live_scoreboard import Client, Unavailable

from leaderboard.boards import Board
from tests.sdk.site import running_site, signed_in, told
from tests.support.processes import PATIENCE, ROOT

KIT = ROOT / "sdk" / "python"
USE = Path(__file__).with_name("uses") / "python_kit.py"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the kit in it and nothing else."""
    folder = tmp_path_factory.mktemp("kit")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [*pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", folder / "dist", KIT], check=True
    )
    [wheel] = (folder / "dist").iterdir()
    subprocess.run([*pip, "install", "--no-index", "--target", folder / "fresh", wheel], check=True)
    return folder / "fresh"


def test_it_does_what_its_users_do(board: Board, installed: Path, tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        _, token = signed_in()
        done = subprocess.run(
            [sys.executable, "-S", "-W", "error", USE, tmp_path / "buffer.sqlite"],
            env={**told(site, token=token), "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "all is well\n", "")


def test_it_brings_types_and_needs_nothing(installed: Path) -> None:
    assert (installed / "live_scoreboard" / "py.typed").exists()
    [metadata] = installed.glob("*.dist-info/METADATA")
    assert "Requires-Dist" not in metadata.read_text()


def test_it_has_the_version_of_the_scoreboard() -> None:
    versions = [tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"] for folder in (KIT, ROOT)]
    assert versions[0] == versions[1]


class Trickle(BaseHTTPRequestHandler):
    """An answer of which each byte comes in time, and the whole does not."""

    over = threading.Event()
    begins = b""

    def do_GET(self) -> None:
        self.wfile.write(self.begins)
        for _ in range(200):
            self.wfile.write(b"x")
            if self.over.wait(0.1):
                return

    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.parametrize("begins", [b"Content-Length: 200\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1;", b"X: "])
def test_an_answer_that_trickles_in_is_none_in_time(monkeypatch: pytest.MonkeyPatch, begins: bytes) -> None:
    """It would be whole after 20 s, and not the scoreboard's."""
    monkeypatch.setattr(Trickle, "begins", b"HTTP/1.1 200 OK\r\n" + begins)
    monkeypatch.setattr(Trickle, "over", threading.Event())
    with ThreadingHTTPServer(("127.0.0.1", 0), Trickle) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            with pytest.raises(Unavailable, match="timed out"):
                Client(f"http://127.0.0.1:{server.server_port}", timeout=0.5, attempts=1).top()
        finally:
            Trickle.over.set()
            server.shutdown()
