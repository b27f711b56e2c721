"""The embedded servers, run as `make test` runs them."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from devsite.postgres import binaries
from tests.support.processes import PATIENCE, ROOT, eventually

PSQL = str(binaries() / "psql")
EXEC = [sys.executable, "-m", "devsite.servers", "exec"]
NO_NAMESPACES = [sys.executable, "-I", str(ROOT / "tests" / "devsite" / "no_namespaces.py")]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
# Prints what the command sees of the servers it was given.
LOOK = """
import os, psycopg, redis
print(psycopg.connect(os.environ["DATABASE_URL"]).execute("SHOW fsync").fetchone()[0])
print(redis.Redis.from_url(os.environ["REDIS_URL"]).ping())
"""

Process = subprocess.Popen[bytes]


def run(*command: str, home: Path | None = None, before: list[str] | None = None, **changes: str) -> str:
    """What `command` printed, both streams, after the exit code: "0 …"."""
    arguments = ["--home", str(home)] if home else []
    done = subprocess.run(
        [*(before or []), *EXEC, *arguments, "--", *command],
        cwd=ROOT,
        env={**ENVIRONMENT, **changes},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return f"{done.returncode} {done.stdout}".strip()


def sql(statement: str, home: Path) -> str:
    return run(
        sys.executable,
        "-c",
        f"import os; os.execv({PSQL!r}, ['psql', os.environ['DATABASE_URL'], '-Atqc', {statement!r}])",
        home=home,
    )


def started(home: Path, *command: str) -> Process:
    """A start that runs `command` on `home`, when `command` has begun."""
    begun = home.parent / "begun"
    begun.unlink(missing_ok=True)
    script = f"import pathlib, sys, os; pathlib.Path({str(begun)!r}).touch(); os.execvp(sys.argv[1], sys.argv[1:])"
    with (home.parent / "said").open("wb") as said:
        process = subprocess.Popen(
            [*EXEC, "--home", str(home), "--", sys.executable, "-c", script, *command],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stderr=said,
        )
    eventually(begun.exists, "the command runs")
    return process


def descendants(process: Process) -> list[psutil.Process]:
    return list(psutil.Process(process.pid).children(recursive=True))


def named(processes: list[psutil.Process], name: str) -> psutil.Process:
    return next(one for one in processes if name in one.cmdline()[0])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all tests that do not need a new one; its data survive what each of them does to its servers."""
    home = tmp_path_factory.mktemp("embedded") / "home"
    assert sql("CREATE TABLE kept AS SELECT 42 AS answer", home) == "0"
    return home


def test_a_command_gets_both_servers_on_sockets_of_their_own(tmp_path: Path) -> None:
    assert run(sys.executable, "-c", LOOK, home=tmp_path / "home") == "0 on\nTrue"
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_a_throw_away_home_is_thrown_away() -> None:
    code, folder = run(
        sys.executable, "-c", "import os; print(os.environ['REDIS_URL'][7:].split('/sockets/')[0])"
    ).split()
    assert code == "0"
    assert not Path(folder).exists()


def test_a_server_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    mine = "postgres://somebody@somewhere/something"
    script = "import os; print(os.environ['DATABASE_URL'])"
    assert run(sys.executable, "-c", script, home=tmp_path / "home", DATABASE_URL=mine) == f"0 {mine}"
    assert not (tmp_path / "home" / "postgres").exists()


@pytest.mark.long
def test_the_exit_code_is_the_commands(home: Path) -> None:
    assert run(sys.executable, "-c", "raise SystemExit(7)", home=home) == "7"


def test_a_signal_is_the_commands_too(home: Path) -> None:
    process = started(home, "sleep", "1000")
    everybody = descendants(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    assert psutil.wait_procs(everybody, timeout=PATIENCE)[1] == []


def test_data_survive_a_restart(home: Path) -> None:
    assert sql("SELECT answer FROM kept", home) == "0 42"


def test_a_second_start_on_one_home_is_refused(home: Path) -> None:
    process = started(home, "sleep", "1000")
    refusal = run("true", home=home)
    assert refusal.startswith(f"1 A scoreboard is already running in {home} (process {process.pid}).")
    process.terminate()
    process.wait(PATIENCE)


def test_when_the_supervisor_is_killed_everything_ends_and_the_next_start_finds_all(home: Path) -> None:
    process = started(home, "sleep", "1000")
    everybody = descendants(process)
    assert len(everybody) > 3
    process.kill()
    process.wait()
    # It may say that it has to wait for the servers of the one that was killed.
    code, *_, answer = sql("SELECT answer FROM kept", home).split()
    assert (code, answer) == ("0", "42")
    assert psutil.wait_procs(everybody, timeout=PATIENCE)[1] == []


@pytest.mark.long
def test_when_all_are_killed_at_once_the_next_start_finds_all(home: Path) -> None:
    process = started(home, "sleep", "1000")
    everybody = descendants(process)
    process.kill()
    process.wait()
    for one in everybody:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    code, *_, answer = sql("SELECT answer FROM kept", home).split()
    assert (code, answer) == ("0", "42")


@pytest.mark.parametrize(
    ("program", "name"), [("postgres", "PostgreSQL"), pytest.param("valkey-server", "Redis", marks=pytest.mark.long)]
)
def test_when_a_server_ends_by_itself_the_command_is_ended_and_the_server_named(
    home: Path, program: str, name: str
) -> None:
    process = started(home, "sleep", "1000")
    named(descendants(process), program).kill()
    assert process.wait(PATIENCE) != 0
    assert f"the embedded {name} has ended" in (home.parent / "said").read_text()


def test_a_process_number_that_went_to_a_stranger_does_not_keep_postgresql_down(home: Path) -> None:
    (home / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{home / 'postgres'}\n0\n5432\n\n\n")
    assert sql("SELECT 1", home) == "0 1"


@pytest.mark.parametrize(
    "name", ["a home with blanks, % and ü", pytest.param("deep/" * 30 + "home", marks=pytest.mark.long)]
)
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    assert run(sys.executable, "-c", LOOK, home=tmp_path / name) == "0 on\nTrue"


def test_a_cluster_of_another_version_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "postgres").mkdir(parents=True)
    (home / "postgres" / "PG_VERSION").write_text("12\n")
    assert run("true", home=home).startswith(f"1 {home / 'postgres'} was written by PostgreSQL 12")


if os.geteuid() == 0 and sys.platform == "linux":

    def test_root_needs_no_folder_opened(tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        assert run(sys.executable, "-c", LOOK, home=closed / "home") == "0 on\nTrue"
        assert closed.stat().st_mode & 0o777 == 0o700
        assert (closed / "home").stat().st_mode & 0o777 == 0o700

    def test_root_without_namespaces_is_refused_rather_than_a_folder_opened(tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        refusal = run("true", home=closed / "home", before=NO_NAMESPACES)
        assert refusal.startswith("1 PostgreSQL does not run as root")
        assert refusal.endswith("Run as an ordinary user, or set DATABASE_URL to a PostgreSQL.")
        assert closed.stat().st_mode & 0o777 == 0o700
