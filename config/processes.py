"""The Procfile's processes under honcho: they run together and end together."""

from __future__ import annotations

import multiprocessing
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from types import FrameType

import honcho.manager
import psutil
from honcho.environ import parse_procfile
from honcho.manager import SYSTEM_PRINTER_NAME, Manager
from honcho.printer import Message, Printer

from config.embedded import Servers
from config.leash import die_with
from config.local import BASE

_LOOK_SECONDS = 1.0
_LEAVE_SECONDS = 10  # what every process promises to be gone within; honcho's own patience ends after 5
_STARTED = re.compile(r"(\S+) started \(pid=(\d+)\)")
_STOPPED = re.compile(r"(\S+) stopped \(rc=(-?\d+)\)")


class Console(Printer):  # type: ignore[misc]  # honcho has no types
    """honcho's output, which also notes what it says about the processes."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self.pids: dict[str, int] = {}
        self.first_stopped: str | None = None

    def write(self, message: Message) -> None:
        super().write(message)
        if message.name != SYSTEM_PRINTER_NAME:
            return
        if started := _STARTED.match(message.data):
            self.pids[started[1]] = int(started[2])
        elif stopped := _STOPPED.match(message.data):
            self.pids.pop(stopped[1], None)
            self.first_stopped = self.first_stopped or f"{stopped[1]} (exit code {stopped[2]})"


class Processes:
    """Runs them until Ctrl-C, SIGTERM, or until one of them or of the embedded `servers` has ended by itself."""

    def __init__(self, servers: Servers, *, demo: bool) -> None:
        if sys.platform == "linux":
            multiprocessing.set_start_method("fork")  # so that the hook below reaches honcho's processes
        self.supervisor = os.getpid()
        self.servers = servers
        self.fallen: str | None = None
        self.console = Console()
        honcho.manager.KILL_WAIT = _LEAVE_SECONDS
        self.manager = Manager(self.console)
        leash = shlex.join([sys.executable, "-I", str(BASE / "config" / "leash.py")])
        procfile = parse_procfile((BASE / "Procfile").read_text(encoding="utf-8"))
        for name, command in procfile.processes.items():
            if demo or name != "demo":
                # `exec`: the shell steps aside, so that the leash is held by honcho's process and not by a shell.
                self.manager.add_process(name, f"exec {leash} {command}", cwd=str(BASE))

    def run(self) -> int:
        """0 after Ctrl-C, 143 after SIGTERM, 1 when something ended by itself."""
        # honcho forks a process that watches each of ours; they must not outlive a supervisor that is killed.
        os.register_at_fork(after_in_child=lambda: die_with(self.supervisor, signal.SIGKILL))
        signal.signal(signal.SIGHUP, lambda signum, frame: os.kill(self.supervisor, signal.SIGTERM))
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)
        announcer = subprocess.Popen([sys.executable, "-m", "config.announce"], cwd=BASE, start_new_session=True)
        try:
            self.manager.loop()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            # Everything is ending already; a second Ctrl-C must not leave servers behind.
            for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(signum, signal.SIG_IGN)
            announcer.terminate()
            announcer.wait()
        return self._outcome()

    def _look(self, signum: int, frame: FrameType | None) -> None:
        """Every second: notice what honcho cannot."""
        if self.fallen is None and (name := self.servers.fallen()):
            self.fallen = name
            os.kill(self.supervisor, signal.SIGTERM)
        for pid in tuple(self.console.pids.values()):
            # honcho waits for the end of the output, which orphans of a killed process hold open, still serving.
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                    os.killpg(pid, signal.SIGKILL)

    def _outcome(self) -> int:
        if self.fallen is None and self.manager.returncode == 128 + signal.SIGINT:
            return 0
        if self.fallen is None and self.manager.returncode == 128 + signal.SIGTERM:
            return 128 + signal.SIGTERM
        sys.stderr.write(f"{self.fallen or self.console.first_stopped} ended by itself, so everything was stopped.\n")
        return 1
