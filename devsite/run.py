"""`make run`: the whole site on one machine, with nothing needed but Python, until Ctrl-C.

Starts the embedded servers that are missing, migrates, loads the demo, then runs the site's processes. Everything
ends together: on Ctrl-C, on SIGTERM, or as soon as one process ends by itself.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from django.core.exceptions import ImproperlyConfigured

from api.environment import flag, whole
from devsite import address, home
from devsite.address import host, port
from devsite.process import Child, Refusal, say
from devsite.servers import Servers, missing_servers

READY_SECONDS = 90.0
LOOK_SECONDS = 0.1
# A process of the site for each core, as far as the embedded PostgreSQL's connections go: each has 16 threads.
MOST_SITES = 4
LOGINS = (("admin", "admin-demo"), ("mod", "mod-demo"), ("alice", "alice-demo"))
# Fifty players on one address would stand still at the defaults. What the operator has set stays.
DEMO_LIMITS = {
    "LIMIT_IP": "6000/minute",
    "LIMIT_SIGN_IN": "600/minute",
    "LIMIT_SIGN_UP": "600/minute",
    "LIMIT_ACTIONS": "2000/hour",
}


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, leave)
    os.chdir(home.BASE)
    try:
        folder = home.find()
        demo = with_demo()
        demand_proxy()
        reserved = reserved_port()
        with missing_servers(folder) as servers:
            return run(folder, servers, reserved, demo=demo)
    except Refusal as refusal:
        say(f"{refusal}\n", sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def with_demo() -> bool:
    """Whether DEMO asks for the demo. Refusal when others than this machine's users could use its known passwords, and
    when its players could not sign in."""
    word = os.environ.get("DEMO") or "1"
    if word not in ("0", "1", "public"):
        raise Refusal(f"DEMO is {word!r}; expected 1, 0 or public.")
    if word == "1" and not address.private(host()):
        raise Refusal(
            f"BIND={host()} would offer the demo's documented sign-ins, admin/admin-demo among them, to the network: "
            "start with DEMO=0, or with DEMO=public if that is what you want."
        )
    if word != "0" and os.environ.get("LOCAL_ACCOUNTS") == "off":
        raise Refusal("With LOCAL_ACCOUNTS=off the demo's players cannot sign in: start with DEMO=0.")
    return word != "0"


def demand_proxy() -> None:
    """Refusal of HTTPS without a proxy that says which requests came by it: each would be redirected to itself."""
    try:
        encrypted, proxies = flag("HTTPS", False), whole("TRUSTED_PROXIES", 0)
    except ImproperlyConfigured as error:
        raise Refusal(str(error)) from error
    if encrypted and not proxies:
        raise Refusal(
            "HTTPS is on and TRUSTED_PROXIES is 0: `make run` speaks plain HTTP, so it needs a proxy that ends TLS and "
            "sends X-Forwarded-Proto and X-Forwarded-For. Set TRUSTED_PROXIES=1."
        )


def leave(signum: int, frame: FrameType | None) -> None:
    """Leave by way of every `finally`."""
    sys.exit(128 + signum)


def run(folder: Path, servers: Servers, reserved: socket.socket, *, demo: bool) -> int:
    """Prepares the database, then runs everything until one process ends by itself."""
    os.environ.update(environment(folder, servers, demo=demo))
    children: list[Child] = []
    with home.environment_noted(folder), ExitStack() as stack:
        stack.callback(end, children)

        def start(name: str, command: list[str]) -> Child:
            children.append(Child(name))
            children[-1].start(command)
            return children[-1]

        if start("prepare", [sys.executable, "manage.py", "prepare", *(["--demo"] if demo else [])]).wait() != 0:
            raise Refusal("The database could not be prepared; the reason is above.")
        del children[0]
        reserved.close()
        quiz = address.quiz_port() if demo and address.private(host()) else None
        for name, command in commands(folder, demo=demo, quiz=quiz).items():
            start(name, command)
        fallen = watch(children, servers, announcement(host(), port(), demo=demo, quiz=quiz))
        say(f"{fallen} ended by itself, so everything was stopped.\n", sys.stderr)
    return 1


def commands(folder: Path, *, demo: bool, quiz: int | None) -> dict[str, list[str]]:
    """The site's processes by name, and the demo's; the Procfile has those of production. `quiz`: the port of one."""
    site = f"-m config.server --host {host()} --port {port()} --shared"
    worker = "-m celery --quiet --app config worker --beat --pool threads --concurrency 2 --without-gossip"
    words = {f"site.{number + 1}": site.split() for number in range(min(os.cpu_count() or 1, MOST_SITES))}
    words["worker"] = [*worker.split(), "--without-mingle", "--loglevel", "warning", "--schedule", str(folder / "beat")]
    if demo:
        words["demo"] = ["manage.py", "demo_players", "--rate", "4", "--seconds", "0"]
    if quiz:
        words["quiz"] = ["examples/quiz/quiz.py", "--scoreboard", address.origin(host(), port()), "--host", host()]
        words["quiz"] += [
            "--port",
            str(quiz),
            "--key",
            str(home.demo_key_file(folder)),
            "--data",
            str(folder / "quiz.sqlite3"),
        ]
    return {name: [sys.executable, *arguments] for name, arguments in words.items()}


def watch(children: list[Child], servers: Servers, announced_as: str) -> str:
    """Announces the site as soon as it answers; returns the name of the first process that ends by itself."""
    deadline = time.monotonic() + READY_SECONDS
    announced = False
    while True:
        for child in children:
            if not child.running():
                return child.name
        if fallen := servers.fallen():
            return fallen
        if not announced:
            if announced := ready():
                say(announced_as, sys.stdout)
            elif time.monotonic() > deadline:
                raise Refusal(f"The site does not answer after {READY_SECONDS:.0f} s; the output above says why.")
        time.sleep(LOOK_SECONDS)


def end(children: list[Child]) -> None:
    """Ends all of them, and whatever they have left behind."""
    # A second Ctrl-C must not leave servers behind.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop()
        child.kill_orphans()


def environment(folder: Path, servers: Servers, *, demo: bool) -> dict[str, str]:
    """What the processes need to know beyond what the operator has set."""
    metrics = folder / "metrics"  # counters of processes that are no more would be added to the new ones'
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    (folder / "static").mkdir(exist_ok=True)  # STATIC_ROOT: empty, files come from the apps, but it must be there
    defaults = {
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "SIGN_UP": "open",
        "LOG_FORMAT": "console",
        "LOG_LEVEL": "WARNING",  # the demo would log every point
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
        **(DEMO_LIMITS if demo else {}),
    }
    return {
        **{name: os.environ.get(name) or value for name, value in defaults.items()},
        **servers,
        "SECRET_KEY": home.secret_key(folder),
        "BIND": host(),
        "PORT": str(port()),
        "PYTHONUNBUFFERED": "1",
        "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", os.defpath)]),
    }


def reserved_port() -> socket.socket:
    """A listener that keeps the address for this start until the site's processes take it. Refusal when it is taken."""
    try:
        return socket.create_server((host(), port()), family=socket.AF_INET6 if ":" in host() else socket.AF_INET)
    except OSError as error:
        raise Refusal(
            f"Cannot listen on {host()} port {port()}: {error.strerror}. Choose another: make run PORT=8001"
        ) from error


def ready() -> bool:
    """Whether `/readyz` says that the site should get traffic."""
    connection = http.client.HTTPConnection(address.local(host()), port(), timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def announcement(host: str, port: int, *, demo: bool, quiz: int | None) -> str:
    """Where the site is and who can sign in; where the quiz is, if there is one."""
    lines = [f"The scoreboard is up: {address.origin(host, port)}/", ""]
    if demo:
        lines += ["Demo players are scoring through the public API (DEMO=0 starts without them).", "Sign in as"]
        lines += [f"  {name:<8} {password}" for name, password in LOGINS]
        lines += ["With it these limits apply: " + ", ".join(f"{name}={os.environ[name]}" for name in DEMO_LIMITS)]
        lines += (
            [f"Another site, with users of its own, awards points here: {address.origin(host, quiz)}/"] if quiz else []
        )
    else:
        lines += ['Without demo data. Make an admin with: make manage COMMAND="createsuperuser"']
    lines += ["Stop everything with Ctrl-C."]
    rule = "=" * max(map(len, lines))
    return "\n".join(["", rule, *lines, rule, "", ""])


if __name__ == "__main__":
    sys.exit(main())
