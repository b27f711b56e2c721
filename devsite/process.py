"""One process that this one supervises: it does not outlive its supervisor, is watched, and is stopped in order."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TextIO

_PR_SET_PDEATHSIG = 1
_LOG_LIMIT = 10 * 2**20  # bytes; a longer log is put aside as one older file when its server starts again
STOP_SECONDS = 10.0  # what every process promises to be gone within


class Refusal(Exception):
    """Something cannot be had here; the message tells the operator why and what to do instead."""


def die_with(parent: int, signum: signal.Signals) -> None:
    """Have Linux send `signum` to this process once process `parent` ends, however it ends; elsewhere nothing is done.

    To be called between fork and exec. A change of credentials takes it off (prctl(2)), so those come first. The
    kernel watches the *thread* that forked: fork from a lasting one.
    """
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    # The parent may have ended before this was set: the kernel would not tell us any more.
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def say(text: str, stream: TextIO | None) -> None:
    """Writes to the console, or not: the site goes on when its output has nowhere to go (`| head`, a full disk).

    Past Python's buffer, which would keep what could not be written, fail again with it, and once more at the end.
    """
    if stream is not None:
        with suppress(OSError):
            os.write(stream.fileno(), text.encode(errors="replace"))


@dataclass
class Child:
    """`name` for messages; `stop_signal` asks for an orderly end; output goes to `log`, or to the console."""

    name: str
    log: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    options: dict[str, Any] = field(default_factory=dict)
    """Further arguments of Popen: the account or namespace to run as."""
    process: subprocess.Popen[bytes] | None = None
    _log_start: int = 0
    _asked: bool = False

    def start(self, command: Sequence[str], *, lock: int | None = None, env: dict[str, str] | None = None) -> None:
        """Run `command` in a session of its own: the terminal's Ctrl-C must not reach it before its clients.

        It inherits `lock`, the home's, which therefore stays taken for as long as it runs.
        """
        parent = os.getpid()
        self._asked = False
        change_identity: Callable[[], None] | None = self.options.get("preexec_fn")

        def before_exec() -> None:
            if change_identity is not None:
                change_identity()
            die_with(parent, self.stop_signal)

        output: int | IO[bytes] = subprocess.PIPE if self.log is None else self._open_log(self.log)
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=() if lock is None else (lock,),
            env=env,
            **{**self.options, "preexec_fn": before_exec},
        )
        if self.process.stdout is not None:
            threading.Thread(target=self._print, args=(self.process.stdout,), daemon=True).start()
        elif not isinstance(output, int):
            output.close()

    def _open_log(self, log: Path) -> IO[bytes]:
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".old.log"))
        file = log.open("ab")
        self._log_start = file.tell()
        return file

    def _print(self, output: IO[bytes]) -> None:
        for line in output:
            say(f"{self.name:<7}| {line.decode(errors='replace')}", sys.stdout)

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return self.process.wait() if self.process else 0

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_until(self, answers: Callable[[], bool], seconds: float) -> None:
        """Return once `answers()`. Refusal when the process ends or `seconds` pass before that."""
        deadline = time.monotonic() + seconds
        while not answers():
            if not self.running():
                code = self.process.returncode if self.process else None
                raise Refusal(f"{self.name} ended while it was starting (exit code {code}):\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise Refusal(f"{self.name} did not answer within {seconds:.0f} s:\n{self.last_words()}")
            time.sleep(0.02)

    def last_words(self, lines: int = 12) -> str:
        """The end of what this start has logged, indented."""
        if self.log is None:
            return ""
        text = self.log.read_bytes()[self._log_start :].decode(errors="replace")
        return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) + f"\n  (all of it: {self.log})"

    def ask_to_stop(self) -> None:
        if self.process is not None and self.running() and not self._asked:
            self._asked = True
            self.process.send_signal(self.stop_signal)

    def stop(self) -> None:
        """Ask for an orderly end, unless that is done; insist after 10 s. Does nothing when it has ended already."""
        if self.process is None or not self.running():
            return
        self.ask_to_stop()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # SIGQUIT: PostgreSQL then takes its backends along and recovers from its log at the next start.
            self.process.send_signal(signal.SIGQUIT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
            self.process.kill()
            self.process.wait()

    def kill_orphans(self) -> None:
        """Kill what a process that has ended has left of its session."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def clean_environment() -> dict[str, str]:
    """Our environment without what PostgreSQL's programs and libraries would take their defaults from."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}
