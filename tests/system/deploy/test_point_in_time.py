"""docs/operations.md, point-in-time recovery: a base backup and archived WAL bring back any moment between."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import PATIENCE, ROOT, eventually
from tests.system.crashes.servers import Servers
from tests.system.crashes.site import folder

# Ten points for one player, as every score gets into the database; prints the total.
SCORE = """
import sys, uuid
import django; django.setup()
from accounts.models import User
from scoreboard import ledger
from scoreboard.models import ScoreHistory
user, _ = User.objects.get_or_create(username="alice", email="alice@example.org")
adjustment = ScoreHistory.Source.ADJUSTMENT
entry = ledger.Entry(user_id=user.pk, action_id=uuid.uuid4(), source=adjustment, delta=10, reason=sys.argv[1])
print(ledger.record([entry])[0].new_total)
"""


def run(servers: Servers, *words: str) -> str:
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEF",
        "DATABASE_URL": servers.postgres.url,
        "REDIS_URL": servers.redis.url,
        "SCOREBOARD_HOME": str(servers.folder),
        "LOG_LEVEL": "ERROR",
    }
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def reasons(servers: Servers) -> list[str]:
    with servers.database() as session:
        return [str(reason) for (reason,) in session.execute("SELECT reason FROM score_history ORDER BY id").fetchall()]


@pytest.mark.long
def test_the_database_comes_back_as_it_was_before_an_accident() -> None:
    with folder() as old_home, folder() as new_home:
        old = Servers(old_home)
        archive = old_home / "archive"
        archive.mkdir()
        old.postgres.account.own(archive)
        try:
            old.start_redis()
            old.start_postgres()
            run(old, "manage.py", "prepare")
            with old.database() as session:
                for setting in (
                    "archive_mode = 'on'",
                    f"archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'",
                ):
                    session.execute(f"ALTER SYSTEM SET {setting}")
            old.postgres.child.stop()
            old.start_postgres()
            assert run(old, "-c", SCORE, "before the base backup") == "10\n"
            base = new_home / "postgres"
            command = [str(old.postgres.binaries / "pg_basebackup"), f"--dbname={old.postgres.url}", f"--pgdata={base}"]
            subprocess.run([*command, "--checkpoint=fast"], check=True, timeout=PATIENCE)
            run(old, "-c", SCORE, "after the base backup")
            with old.database() as session:
                [moment] = session.execute("SELECT clock_timestamp()::text").fetchone() or [""]
            run(old, "-c", SCORE, "the accident")
            with old.database() as session:
                [last] = session.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or [""]
            eventually(lambda: (archive / str(last)).exists(), "the last WAL is archived")
        finally:
            old.stop_servers()  # the machine is gone; the archive is kept elsewhere
        recovered(base, archive, str(moment), Servers(new_home))


def recovered(base: Path, archive: Path, moment: str, new: Servers) -> None:
    with (base / "postgresql.auto.conf").open("a") as settings:
        settings.write(
            f"archive_mode = 'off'\nrestore_command = 'cp {archive}/%f %p'\n"
            f"recovery_target_time = '{moment}'\nrecovery_target_action = 'promote'\n"
        )
    (base / "recovery.signal").touch()
    try:
        new.start_redis()
        new.start_postgres()

        def writable() -> bool:
            with new.database() as session:
                return session.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)

        eventually(writable, "the recovery ends")
        assert reasons(new) == ["before the base backup", "after the base backup"]
        assert run(new, "-c", SCORE, "after the recovery") == "30\n"
        run(new, "manage.py", "reconcile_leaderboard")
        run(new, "manage.py", "reconcile_leaderboard", "--check")
    finally:
        new.stop_servers()
