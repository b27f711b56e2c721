"""The site as a visitor meets it: the Procfile's `web` and `live` behind nginx, at one URL, on the test database."""

import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from leaderboard import boards, definitions
from leaderboard.boards import ALL, Visibility
from tests.support.processes import PATIENCE, ROOT, eventually
from tests.support.procfile import procfile
from tests.support.unlimited import UNLIMITED
from tests.system.deploy.nginx import ROLES, configured
from tests.system.live.server import database_url, free_port

START_SECONDS = 300
STOP_SECONDS = 60
PARTS = ("web", "live", "door")


class Site:
    """`folder`: for logs and what nginx writes."""

    def __init__(self, folder: Path, redis_prefix: str) -> None:
        self.folder = folder
        self.redis_prefix = redis_prefix
        ports = {part: free_port() for part in PARTS}
        self.port = ports["door"]
        self.url = f"http://127.0.0.1:{self.port}"
        door = configured(folder, {standard: ports[part] for standard, part in ROLES.items()})
        self.commands = {**procfile(), "door": shlex.join(door)}
        self.ports = ports
        self.friend_port = free_port()  # of the one foreign site whose word the board's iframe takes
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **os.environ,
            **UNLIMITED,
            "DATABASE_URL": database_url(),
            "LEADERBOARD_FRAME_ANCESTORS": f"*,http://localhost:{self.friend_port}",
            "LOG_LEVEL": "WARNING",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "REDIS_KEY_PREFIX": redis_prefix,
            "REDIS_TIMEOUT": "20",  # there is no worker to make up for a push that was given up
            "SCOREBOARD_HOME": str(folder),
            "TRUSTED_PROXIES": "1",
        }

    def start(self, *names: str) -> None:
        """Starts what is not running, and waits until a visitor is served."""
        for name in names or PARTS:
            if name not in self.running:
                with (self.folder / f"{name}.log").open("ab") as log:
                    self.running[name] = subprocess.Popen(
                        ["/bin/sh", "-c", f"exec {self.commands[name]}"],
                        cwd=ROOT,
                        env={**self.environment, "PORT": str(self.ports[name])},
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
        if set(self.running) == set(PARTS):
            try:
                eventually(lambda: self.serves() and self.live_epoch() != "", "the site serves", START_SECONDS)
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.logs()}") from None

    def stop(self, *names: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends these processes, each with its workers, and waits for their end."""
        for name in names or PARTS:
            process = self.running.pop(name, None)
            if process is None:
                continue
            if how == signal.SIGKILL:
                os.killpg(process.pid, how)
            else:
                process.send_signal(how)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise AssertionError(f"{name} did not end within {STOP_SECONDS} s\n{self.logs()}") from None

    def serves(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=PATIENCE) as answer:  # noqa: S310 (our own URL)
                return bool(answer.status == 200)
        except OSError:
            return False

    def live_epoch(self) -> str | None:
        """The epoch `live` shows a new viewer: null before it has read the board, "" while it cannot be reached."""
        status, hello = self.ask("/api/v1/scoreboard/stream")
        return hello["epoch"] if status == 200 else ""

    def knows_boards(self) -> bool:
        """Whether `web` and `live`, as far as they answer, know the boards as they are: both look once a second."""
        boards.refresh(at_once=True)
        listed: dict[str, Any] = {"/api/v1/boards": definitions.every(hidden=False, signed_in=False)}
        shown = [board for board in map(boards.find, boards.slugs()) if board and board.visibility != Visibility.HIDDEN]
        listed |= {f"/api/v1/boards/{board.slug}": definitions.one(board.slug, hidden=False) for board in shown}
        for path, known in listed.items():
            status, told = self.ask(path)
            if status == 404 or (status == 200 and told["data"] != known):
                return False
        for board in shown:
            status, hello = self.ask(f"/api/v1/scoreboard/stream?board={board.slug}")
            if status == 404 or (status == 200 and hello.get("period", ALL) != board.period):
                return False
        return True

    def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status, and the JSON of the answer or of the first event of a stream; 0 while it cannot be reached."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status != 200:
                return answer.status, {}
            if answer.getheader("Content-Type") == "application/json":
                return 200, dict(json.load(answer))
            while line := answer.readline():
                if line.startswith(b"data: "):
                    return 200, dict(json.loads(line.removeprefix(b"data: ")))
            return 0, {}
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            connection.close()

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))
