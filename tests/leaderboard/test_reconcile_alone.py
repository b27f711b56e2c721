"""Two reconciles at once: one runs, the other says so and does nothing; a process that dies leaves no lock behind."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from api import redis_client
from leaderboard import boards, reconcile, reconcile_lock, sweep, tasks
from leaderboard.boards import Board
from tests.support.agreement import assert_agreement, dump
from tests.support.people import give, player
from tests.support.processes import PATIENCE, environment, eventually, running
from tests.support.races import beside
from tests.support.spoiling import Hand, older

AT_WORK = """
import sys, time, django
django.setup()
from leaderboard import boards, reconcile
if sys.argv[1] == "summing":
    reconcile.LEDGER = "SELECT pg_sleep(120)::text"
    print("at work", flush=True)

def wait(compared):
    print("at work", flush=True)
    time.sleep(120)

reconcile.reconcile(boards.get("global"), progress=wait)
"""


@pytest.fixture(autouse=True)
def one_player(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose entry in Redis is stale."""
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0)
    user = player()
    give(user, 50)
    older(Hand(board, user))


@contextmanager
def another_reconcile(board: Board) -> Iterator[None]:
    """A check in another session, in the middle of its work until the block is left."""
    reports: list[reconcile.Report] = []
    with beside(lambda pause: reports.append(reconcile.reconcile(board, check=True, progress=lambda _: pause()))):
        yield
    assert len(reports) == 1


def free(board: Board) -> bool:
    """Asked without taking the lock, which would turn away the very reconcile that is waited for."""
    return reconcile_lock.holder(board) is None


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_the_second_command_says_who_is_at_it_does_nothing_and_ends_with_3(board: Board, arguments: list[str]) -> None:
    with another_reconcile(board):
        before = dump(board)
        with pytest.raises(
            CommandError, match=r"Another reconcile .* is running \(PostgreSQL session \d+\)"
        ) as refused:
            call_command("reconcile_leaderboard", *arguments)
        assert refused.value.returncode == 3
        assert dump(board) == before
    call_command("reconcile_leaderboard")
    assert_agreement(board)


def test_the_control_without_the_lock_both_would_run(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile_lock, "held", lambda board: nullcontext())
    with another_reconcile(board):
        assert reconcile.reconcile(board, check=True).found["stale"] == 1


def test_the_nightly_task_logs_it_and_ends_well(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    with another_reconcile(board):
        tasks.reconcile()
    assert "reconcile_skipped" in caplog.text
    assert "Another reconcile of board global is running" in caplog.text


def test_a_sweep_that_must_compare_everything_comes_back_later(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    redis: Any = redis_client.connection()
    redis.hset(boards.keys(board).meta, "swept", "another-cluster/5:1")
    with another_reconcile(board):
        tasks.sweep()
        assert "sweep_postponed" in caplog.text
        assert redis.hget(boards.keys(board).meta, "swept") == b"another-cluster/5:1"
    assert sweep.sweep(board).healed == 1
    assert_agreement(board)


def test_an_ordinary_sweep_is_not_kept_waiting(board: Board) -> None:
    with another_reconcile(board):
        give(player(), 3, announced=False)
        sweep.sweep(board)
        assert_agreement(board)


@pytest.mark.parametrize("moment", ["comparing", "summing"])
def test_a_reconcile_that_is_killed_leaves_no_lock_behind(board: Board, moment: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with running([sys.executable, "-c", AT_WORK, moment], environment(), said) as process:
        eventually(lambda: "at work" in said.read_text(), "the other reconcile is at work")
        eventually(lambda: not free(board), "it has the lock")
        if moment == "summing":
            eventually(lambda: sleepers() == 1, "its statement runs")
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        eventually(lambda: free(board), "PostgreSQL frees the lock")
    reconcile.reconcile(board)
    assert_agreement(board)


def test_a_reconcile_that_fails_frees_the_lock(board: Board) -> None:
    def fail(compared: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reconcile.reconcile(board, progress=fail)
    done = subprocess.run(
        [sys.executable, "manage.py", "reconcile_leaderboard"], env=environment(), check=False, timeout=PATIENCE
    )
    assert done.returncode == 0
    assert_agreement(board)


def test_one_that_loses_its_session_stops_and_raises(board: Board) -> None:
    """A process without the lock is without the connection, too."""

    def cut(compared: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pid = cursor.fetchone()[0]
        ended = threading.Thread(target=end_session, args=(pid,))
        ended.start()
        ended.join(PATIENCE)

    with pytest.raises(OperationalError):
        reconcile.reconcile(board, progress=cut)
    connection.close()
    assert free(board)


def end_session(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    connection.close()


def sleepers() -> int:
    """Sessions of this database that sum up a long history."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
            " AND pid <> pg_backend_pid() AND query LIKE '%FETCH%'"
        )
        return int(cursor.fetchone()[0])
