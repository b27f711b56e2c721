"""`make run`: the whole site on one machine, with nothing needed but Python, until Ctrl-C.

Starts the embedded servers that are missing, migrates, loads the demo, then runs the Procfile's processes
under honcho. Everything ends together: on Ctrl-C, on SIGTERM, or as soon as one process ends by itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import FrameType

from config import local
from config.embedded import Refusal, Servers, servers
from config.leash import die_with
from config.live import allow_open_files
from config.processes import Processes


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _leave)
    try:
        home = local.home()
        _need_port()
        missing = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
        with servers(home, postgres="DATABASE_URL" in missing, redis="REDIS_URL" in missing) as running:
            return _run(home, running)
    except Refusal as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    except KeyboardInterrupt:
        return 0


def _leave(signum: int, frame: FrameType | None) -> None:
    """Leave by way of every `finally`."""
    sys.exit(128 + signum)


def _run(home: Path, running: Servers) -> int:
    demo = os.environ.get("DEMO", "1") != "0"
    variables = _variables(home, running)
    if demo:
        variables |= {name: limit for name, limit in local.DEMO_LIMITS.items() if name not in os.environ}
    os.environ.update(variables)
    remembered = local.remember(home, variables)
    try:
        _prepare(demo=demo)
        allow_open_files()
        return Processes(running, demo=demo).run()
    finally:
        remembered.unlink(missing_ok=True)


def _variables(home: Path, running: Servers) -> dict[str, str]:
    """What the processes need to know beyond what the operator has set."""
    metrics = home / "metrics"  # counters of processes that are no more would be added to the new ones'
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    (home / "static").mkdir(exist_ok=True)  # STATIC_ROOT: empty, files come from the apps, but it must be there
    return {
        **running,
        "SECRET_KEY": local.secret_key(home),
        "SCOREBOARD_SOCKETS": str(running.sockets),
        "PROMETHEUS_MULTIPROC_DIR": os.environ.get("PROMETHEUS_MULTIPROC_DIR") or str(metrics),
        "TRUSTED_PROXIES": "1",  # the front, which alone reaches the servers and says who the client is
        "HOST": _host(),
        "PORT": str(_port()),
        "LOG_FORMAT": os.environ.get("LOG_FORMAT") or "console",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL") or "WARNING",  # the demo would log every point
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS") or "ignore:You're running the worker with superuser",
        "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", os.defpath)]),
    }


def _host() -> str:
    return os.environ.get("HOST") or "127.0.0.1"


def _port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not (text.isdecimal() and 0 < int(text) < 65_536):
        raise Refusal(f"PORT is {text!r}; expected a number from 1 to 65535.")
    return int(text)


def _need_port() -> None:
    """Refuse before anything is started when the address is taken."""
    host, port = _host(), _port()
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise Refusal(
            f"Cannot listen on {host} port {port}: {error.strerror}. Choose another: make run PORT=8001"
        ) from error


def _prepare(*, demo: bool) -> None:
    """Migrate and load the demo, in a session of its own: Ctrl-C is ours to handle."""
    supervisor = os.getpid()
    process = subprocess.Popen(
        [sys.executable, "-m", "config.prepare", *(["demo"] if demo else [])],
        cwd=local.BASE,
        start_new_session=True,
        preexec_fn=lambda: die_with(supervisor, signal.SIGTERM),
    )
    try:
        if process.wait() != 0:
            raise Refusal("The database could not be prepared; the reason is above.")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
