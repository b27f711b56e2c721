"""One embedded server as a child process: started on a leash, watched until it answers, stopped in order."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.leash import die_with

_LOG_LIMIT = 10 * 2**20  # bytes; a longer log is put aside as one older file when its server starts again
_STOP_SECONDS = 10.0


class Refusal(Exception):
    """An embedded server cannot be had here; the message tells the operator why and what to do instead."""


@dataclass
class Child:
    """`name` for messages; `log` gets stdout and stderr; `stop_signal` asks for an orderly end."""

    name: str
    log: Path
    stop_signal: signal.Signals
    options: dict[str, Any] = field(default_factory=dict)
    """Further arguments of Popen: the account or namespace to run as."""
    process: subprocess.Popen[bytes] | None = None
    _log_start: int = 0

    def start(self, command: Sequence[str], *, lock: int) -> None:
        """Run `command` in a session of its own: the terminal's Ctrl-C must not reach it before its clients.

        It inherits `lock`, the home's, which therefore stays taken for as long as it runs.
        """
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".old.log"))
        parent = os.getpid()
        change_identity: Callable[[], None] | None = self.options.get("preexec_fn")

        def before_exec() -> None:
            if change_identity is not None:
                change_identity()
            die_with(parent, self.stop_signal)

        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
                env=clean_environment(),
                **{**self.options, "preexec_fn": before_exec},
            )

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
        text = self.log.read_bytes()[self._log_start :].decode(errors="replace")
        return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) + f"\n  (all of it: {self.log})"

    def stop(self) -> None:
        """Ask for an orderly end; insist after 10 s. Does nothing when it has ended already."""
        if self.process is None or not self.running():
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # SIGQUIT: PostgreSQL then takes its backends along and recovers from its log at the next start.
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def clean_environment() -> dict[str, str]:
    """Our environment without what PostgreSQL's programs and libraries would take their defaults from."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}
