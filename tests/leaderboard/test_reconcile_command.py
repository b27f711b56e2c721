"""`manage.py reconcile_leaderboard` and the nightly task: what they say, and the exit codes."""

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from prometheus_client import REGISTRY

from accounts.models import User
from leaderboard import boards, reconcile, sweep, tasks
from leaderboard.boards import Board
from leaderboard.drift import NAMED
from scoreboard.models import Board as Rule
from scoreboard.models import UserScore
from tests.support.agreement import assert_agreement, dump
from tests.support.people import give, players
from tests.support.processes import PATIENCE, ROOT, environment
from tests.support.redis_of_our_own import OwnRedis, own_redis
from tests.support.spoiling import DRIFTS, Hand, forget

__all__ = ["own_redis"]

pytestmark = pytest.mark.usefixtures("at_rest")


def command(*arguments: str) -> tuple[int, str]:
    """(exit code, what it printed)"""
    out = StringIO()
    try:
        call_command("reconcile_leaderboard", *arguments, stdout=out)
    except CommandError as refusal:
        return refusal.returncode, str(refusal)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def test_without_drift_the_command_says_so_and_ends_with_0(board: Board, victim: User) -> None:
    for arguments in ([], ["--check"], ["--check", "--board", "global"]):
        code, said = command(*arguments)
        assert code == 0
        assert "missing 0, stale 0, ahead 0, extra 0, ledger 0" in said


@pytest.mark.parametrize("spoil", [*DRIFTS, None], ids=lambda value: getattr(value, "__name__", "lost"))
def test_check_changes_nothing_and_ends_with_1_on_drift(
    board: Board, victim: User, spoil: Callable[[Hand], None] | None
) -> None:
    at = Hand(board, victim)
    if spoil:
        spoil(at)
    else:
        at.redis.delete(*at.keys.all())
    before = dump(board)
    code, said = command("--check")
    assert code == 1
    assert (str(victim.pk) in said) if spoil else ("was lost" in said)
    assert dump(board) == before


def test_a_repair_ends_with_0_and_a_second_one_finds_nothing(board: Board, victim: User) -> None:
    forget(Hand(board, victim))
    code, said = command()
    assert (code, "repaired 1" in said) == (0, True)
    assert command("--check")[0] == 0


def test_a_ledger_mismatch_ends_with_1_because_it_is_not_repaired(board: Board, victim: User) -> None:
    UserScore.objects.filter(user=victim).update(total=1)
    reconcile.reconcile(board)
    for arguments in ([], ["--check"]):
        code, said = command(*arguments)
        assert code == 1
        assert f"ledger: {victim.pk}" in said


def test_an_unknown_board_is_refused(board: Board) -> None:
    assert "There is no board galactic to compare; there are global." in command("--board", "galactic")[1]


def test_a_board_that_is_still_counted_is_not_among_those_that_there_are(board: Board) -> None:
    Rule.objects.create(slug="weekly", title="Weekly", window="weekly")  # no worker has filled it
    boards.forget()
    with pytest.raises(CommandError, match="no board weekly to compare; there are global\\."):
        call_command("reconcile_leaderboard", "--board", "weekly")


def test_the_nightly_task_repairs(board: Board, victim: User, caplog: pytest.LogCaptureFixture) -> None:
    forget(Hand(board, victim))
    tasks.reconcile()
    assert_agreement(board)
    assert "drift_found" in caplog.text


def test_of_more_players_than_a_report_names_the_rest_are_counted(board: Board) -> None:
    for user in players(NAMED + 7):
        give(user, 5)
        forget(Hand(board, user))
    code, said = command("--check")
    assert code == 1
    assert f"missing {NAMED + 7}," in said
    assert said.count("  missing: ") == NAMED + 1
    assert "  missing: … and 7 more" in said


def test_a_total_that_is_not_its_history_is_counted_and_logged_by_name(
    board: Board, victim: User, caplog: pytest.LogCaptureFixture
) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("scoreboard_drift_total", {"kind": "ledger"}) or 0.0

    before = counted()
    UserScore.objects.filter(user=victim).update(total=51)
    tasks.reconcile()
    assert counted() == before + 1
    assert "ledger_mismatch" in caplog.text
    assert str(victim.pk) in caplog.text
    assert UserScore.objects.get(user=victim).total == 51


def test_what_the_manual_says_of_such_a_total_puts_it_right(board: Board, victim: User) -> None:
    UserScore.objects.filter(user=victim).update(total=77)
    reconcile.reconcile(board)
    manual = (ROOT / "docs" / "operations.md").read_text()
    _, _, rest = manual.partition("```sql\n")
    statement, _, _ = rest.partition("```")
    assert statement.count("THE-PLAYER-ID") == 2
    with connection.cursor() as cursor:
        cursor.execute(statement.replace("THE-PLAYER-ID", str(victim.pk)))
    assert UserScore.objects.get(user=victim).total == 50
    assert sweep.sweep(board).healed == 1
    assert_agreement(board)
    assert command("--check")[0] == 0


def test_a_terminal_gets_a_bar_that_ends_at_all_players(board: Board, victim: User) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    done = subprocess.run(
        [sys.executable, "manage.py", "reconcile_leaderboard", "--check"],
        env=environment(), cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, timeout=PATIENCE, check=False,
    )  # fmt: skip
    os.close(theirs)
    shown = ""
    with suppress(OSError):  # EIO: all of it has been read
        while piece := os.read(ours, 100_000):
            shown += piece.decode()
    os.close(ours)
    assert done.returncode == 0
    assert "0/5" in shown
    assert "5/5" in shown.strip().rpartition("\r")[2]
    assert b"compared 5 players" in done.stdout


def test_without_redis_the_command_says_so_and_ends_with_4(own_redis: OwnRedis, board: Board) -> None:
    own_redis.stop()
    code, said = command("--check")
    assert code == 4
    assert "Redis is out of reach" in said
    tasks.reconcile()  # and the task ends well
    own_redis.start()


def test_without_postgresql_the_command_says_so_and_ends_with_4() -> None:
    nowhere = {**environment(), "DATABASE_URL": "postgres://nobody@127.0.0.1:9/nothing"}
    done = subprocess.run(
        [sys.executable, "manage.py", "reconcile_leaderboard", "--check"],
        env=nowhere, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, "PostgreSQL did not answer" in done.stderr) == (4, True)
    assert "Traceback" not in done.stderr
