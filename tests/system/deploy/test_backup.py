"""docs/operations.md, Backup and restore: rehearsed. What was acknowledged before a dump is in it."""

import subprocess
import sys
import threading
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection, connections

from accounts.models import User
from devsite.postgres import binaries
from leaderboard.boards import Board
from scoreboard import ledger
from scoreboard.models import ScoreHistory
from tests.support.backups import administer
from tests.support.people import entry, players
from tests.support.processes import PATIENCE, ROOT, environment, eventually

WRITERS = 3


class Writing:
    """Threads that score; `acknowledged`: what each was told, in order."""

    def __init__(self, crowd: list[User]) -> None:
        self.acknowledged: list[uuid.UUID] = []
        self.stop = threading.Event()
        self.failed: list[BaseException] = []
        self.threads = [threading.Thread(target=self.write, args=(user,)) for user in crowd]

    def write(self, user: User) -> None:
        try:
            while not self.stop.is_set():
                written = entry(user, 1)
                ledger.announce(outcome.standing for outcome in ledger.record([written]))
                self.acknowledged.append(written.action_id)
        except BaseException as error:
            self.failed.append(error)
        finally:
            connections.close_all()  # this thread's own

    def __enter__(self) -> "Writing":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()
        assert self.failed == []


def program(name: str) -> str:
    """Of the server's own version: an older pg_dump refuses a newer server."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000")
        [version] = cursor.fetchone() or [0]
    machine = Path(f"/usr/lib/postgresql/{version}/bin/{name}")
    return str(machine if machine.exists() else binaries() / name)


def manage(*words: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *words]
    env = {**environment(), **changes}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.mark.django_db(transaction=True)
def test_a_dump_under_load_has_all_that_was_acknowledged_before_it_and_the_site_works_on_it(
    board: Board, tmp_path: Path
) -> None:
    crowd = players(WRITERS)
    here = environment()["DATABASE_URL"]
    elsewhere = f"{connection.settings_dict['NAME']}_elsewhere"
    dump = tmp_path / "scoreboard.dump"
    with Writing(crowd) as writing:
        eventually(lambda: len(writing.acknowledged) > 20, "scores are acknowledged")
        before = set(writing.acknowledged)
        subprocess.run([program("pg_dump"), "--format=custom", f"--file={dump}", here], check=True)
        during = len(writing.acknowledged)
        eventually(lambda: len(writing.acknowledged) > during, "writing went on")
    url = urlunsplit(urlsplit(here)._replace(path=f"/{elsewhere}"))
    administer(f'CREATE DATABASE "{elsewhere}" TEMPLATE template0')
    try:
        subprocess.run(
            [program("pg_restore"), "--exit-on-error", "--no-owner", f"--dbname={url}", str(dump)], check=True
        )
        with psycopg.connect(url) as restored:
            kept = {action for (action,) in restored.execute("SELECT action_id FROM score_history").fetchall()}
            differ = restored.execute(
                "SELECT count(*) FROM user_scores s WHERE total <>"
                " (SELECT coalesce(sum(delta), 0) FROM score_history h WHERE h.user_id = s.user_id)"
            ).fetchone()
        assert before - kept == set(), "acknowledged before the dump, and not in it"
        assert kept <= set(writing.acknowledged) | set(ScoreHistory.objects.values_list("action_id", flat=True))
        assert differ == (0,)
        assert manage("migrate", "--check", DATABASE_URL=url).returncode == 0
        repaired = manage("reconcile_leaderboard", DATABASE_URL=url)
        assert repaired.returncode == 0, repaired.stderr
        assert "ahead" in repaired.stdout
        checked = manage("reconcile_leaderboard", "--check", DATABASE_URL=url)
        assert checked.returncode == 0, checked.stdout
    finally:
        administer(f'DROP DATABASE "{elsewhere}" WITH (FORCE)')
