"""A PostgreSQL of a provider: a role with no rights beyond its database, any defaults; what cannot work is refused."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from django.db import connection

from devsite.postgres_account import Account
from tests.config.starts import start
from tests.support.processes import PATIENCE, ROOT, environment, eventually, python
from tests.support.programs import needed
from tests.system.live.server import free_port

pytestmark = pytest.mark.django_db(transaction=True)

UNSUITABLE = {
    "no encoding": ("ENCODING 'SQL_ASCII' LOCALE 'C'", "has the encoding SQL_ASCII; expected UTF8"),
    "another encoding": ("ENCODING 'LATIN1' LOCALE 'C'", "has the encoding LATIN1; expected UTF8"),
    "a locale without Ö": ("ENCODING 'UTF8' LOCALE 'C'", "makes iÖЖΔ of the capitals IÖЖΔ; expected iöжδ"),
}
DEFAULTS = {
    "default_transaction_isolation": "serializable",
    "datestyle": "SQL, DMY",
    "intervalstyle": "iso_8601",
    "timezone": "Asia/Kathmandu",
    "statement_timeout": "1s",
}
SHOW = """
from django.db import connection
from accounts.models import User
with connection.cursor() as cursor:
    for name in ("transaction_isolation", "DateStyle", "TimeZone", "statement_timeout", "search_path", "work_mem"):
        cursor.execute(f"SHOW {name}")
        print(cursor.fetchone()[0])
print(User.objects.create_user("zoe", "zoe@example.org", "a long enough pass phrase").date_joined.utcoffset())
"""


@contextmanager
def database(how: str = "") -> Iterator[tuple[str, str]]:
    """(address of an empty database, name of the role that owns it and has no other right)"""
    name, password = f"owned_{secrets.token_hex(6)}", secrets.token_hex(8)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        try:
            cursor.execute(f"CREATE DATABASE {name} OWNER {name} {how}")
            url = urlsplit(os.environ["DATABASE_URL"])
            host = url.netloc.rpartition("@")[2]
            yield urlunsplit(url._replace(netloc=f"{name}:{password}@{host}", path=f"/{name}")), name
        finally:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            cursor.execute(f"DROP ROLE {name}")


def migrate(url: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=environment(DATABASE_URL=url),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.long] if "encoding" in kind else []) for kind in UNSUITABLE]
)
def test_a_database_that_does_not_do_is_refused_before_anything_is_changed(kind: str) -> None:
    how, said = UNSUITABLE[kind]
    with database(f"TEMPLATE template0 LOCALE_PROVIDER libc {how}") as (url, _):
        code, output = migrate(url)
        assert code != 0
        assert said in output
        code, output = start("web", {"DATABASE_URL": url})
        assert code != 0
        assert said in output


def test_a_role_that_owns_an_empty_database_is_enough_whatever_its_defaults_are() -> None:
    with database() as (url, role):
        with connection.cursor() as cursor:
            for name, value in DEFAULTS.items():
                cursor.execute(f"ALTER ROLE {role} SET {name} = '{value}'")
            cursor.execute(f"GRANT CREATE ON DATABASE {role} TO {role}")
        options = quote("-c work_mem=7MB -c search_path=public,pg_catalog")
        url += f"{'&' if '?' in url else '?'}options={options}"
        assert migrate(url) == (0, "")
        shown = python(SHOW, DATABASE_URL=url)
        assert shown.returncode == 0, shown.stderr
        expected = ["read committed", "ISO, MDY", "UTC", "10s", "public,pg_catalog", "7MB", "0:00:00"]
        assert shown.stdout.replace("public, pg_catalog", "public,pg_catalog").split("\n")[:7] == expected


def test_an_isolation_level_in_the_url_is_not_replaced_in_silence() -> None:
    options = quote("-c default_transaction_isolation=serializable")
    url = environment()["DATABASE_URL"]
    code, output = start("web", {"DATABASE_URL": f"{url}{'&' if '?' in url else '?'}options={options}"})
    assert code != 0
    assert "DATABASE_URL sets default_transaction_isolation" in output
    assert "not the address of a PostgreSQL" in start("web", {"DATABASE_URL": "mysql://host/name"})[1]


@contextmanager
def pooler(folder: Path, mode: str) -> Iterator[str]:
    """DATABASE_URL of the test database by way of a pgbouncer in this mode."""
    about, port = connection.get_connection_params(), free_port()
    server = " ".join(
        f"{name}={about[name]}" for name in ("host", "port", "user", "password", "dbname") if about.get(name)
    )
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\ntest = {server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = {mode}\n"
    )
    program = needed("pgbouncer", "pgbouncer")
    account = Account.for_postgres(folder, Path(program), folder)  # like PostgreSQL, it does not run as root
    log = folder / "pgbouncer.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, str(folder / "pgbouncer.ini")], stdout=output, stderr=subprocess.STDOUT, **account.options
        )
    try:
        eventually(lambda: "process up" in log.read_text() or process.poll() is not None, "pgbouncer is up")
        assert process.poll() is None, log.read_text()
        yield f"postgres://site@127.0.0.1:{port}/test"
    finally:
        process.kill()
        process.wait(PATIENCE)


def test_a_pooler_in_session_mode_works_and_one_that_shares_sessions_is_refused(tmp_path: Path) -> None:
    with pooler(tmp_path, "session") as url:
        assert start("web", {"DATABASE_URL": url}) == (0, "")
    with pooler(tmp_path, "transaction") as url:
        code, output = start("web", {"DATABASE_URL": url})
        assert code != 0
        assert "a pooler that gives one session of PostgreSQL to several clients" in output
