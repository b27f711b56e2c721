"""A site of real processes on servers of its own, to be killed: the Procfile's, PostgreSQL and Redis."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from devsite.process import die_with
from tests.support.processes import PATIENCE, ROOT
from tests.support.procfile import procfile
from tests.support.unlimited import UNLIMITED
from tests.system.crashes.client import Client, Lost
from tests.system.crashes.clocks import PYTHON_CLOCK, set_postgres_clock, set_site_clock
from tests.system.crashes.servers import Servers, resume

PARTS = ("web", "worker", "beat")


class Site(Servers):
    """The Procfile's processes on them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.procfile = procfile()
        self.procfile["web"] = re.sub(
            r"--host \S+ --port \S+", '--uds "$SCOREBOARD_SOCKETS/web.sock"', self.procfile["web"]
        )
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.ended: Counter[str] = Counter()  # how often each ended by itself
        self.environment = {
            **os.environ,
            **UNLIMITED,
            "CELERY_BROKER_URL": "",
            "DATABASE_URL": self.postgres.url,
            "LOG_FORMAT": "console",
            "LOG_LEVEL": "WARNING",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": os.pathsep.join([str(PYTHON_CLOCK), str(ROOT)]),
            "QUEUE_PREFIX": "",
            "REDIS_KEY_PREFIX": "",
            "REDIS_URL": self.redis.url,
            "SCOREBOARD_HOME": str(folder),
            "SCOREBOARD_SOCKETS": str(self.sockets),
            "TEST_CLOCK": str(folder / "clock"),
        }

    @property
    def web_socket(self) -> Path:
        return self.sockets / "web.sock"

    # --- the site's processes ----------------------------------------------------------------------

    def start(self, *names: str) -> None:
        """Starts these as the Procfile says; they do not outlive the tests."""
        parent = os.getpid()
        for name in names or PARTS:
            if name == "web":
                self.web_socket.unlink(missing_ok=True)
            with (self.folder / f"{name}.log").open("ab") as log:
                self.running[name] = subprocess.Popen(
                    ["/bin/sh", "-c", f"exec {self.procfile[name]}"],
                    preexec_fn=lambda: die_with(parent, signal.SIGTERM),
                    cwd=ROOT,
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def serves(self) -> bool:
        client = Client(self.web_socket)
        try:
            return client.ask("GET", "/action/types").status == 200
        except Lost:
            return False
        finally:
            client.close()

    def kill(self, name: str) -> None:
        """SIGKILL to the process and all it has started, as a supervisor does with what is left of a dead service."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def processes(self, name: str) -> list[psutil.Process]:
        """The process and, of `web`, those that serve."""
        parent = psutil.Process(self.running[name].pid)
        return [parent, *parent.children(recursive=True)]

    def kill_one_web_process(self, chance: random.Random) -> None:
        """Any of them. One that serves is replaced by its parent; when the parent ends, `web` is started anew."""
        self.supervise()
        with suppress(psutil.NoSuchProcess):  # it has ended by itself at this moment
            victim = chance.choice(self.processes("web"))
            if victim.pid != self.running["web"].pid:
                victim.kill()
            else:
                self.kill("web")
                self.start("web")

    def manage(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def supervise(self) -> None:
        """Starts again what has ended by itself, as a supervisor does.

        Celery's worker gives up when Redis goes away at certain moments, Granian when those that serve die too often.
        """
        for name, process in list(self.running.items()):
            if process.poll() is not None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                self.ended[name] += 1
                self.start(name)

    def mend(self) -> None:
        """Whatever a test broke and did not get to mending."""
        set_site_clock(self, 0)
        self.resume_servers()
        for process in self.running.values():
            if process.poll() is None:
                resume(process.pid)
        set_postgres_clock(self, 0)
        for name in PARTS:
            if name not in self.running:
                self.start(name)
        self.supervise()

    def close(self) -> None:
        for name in list(self.running):
            with suppress(ProcessLookupError):
                self.kill(name)
        self.stop_servers()

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-6000:]}" for path in sorted(self.folder.glob("*.log")))


@contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="crash-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
