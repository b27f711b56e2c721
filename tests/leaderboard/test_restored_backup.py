"""PostgreSQL comes back from an older backup, so that Redis is ahead of it: SQL wins, by itself and by hand."""

from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import call_command

from accounts.models import User
from api import redis_client
from leaderboard import boards, ranking, reconcile, sweep
from leaderboard.boards import Board
from scoreboard import changes, ledger
from tests.support.agreement import assert_agreement
from tests.support.backups import CopiedTables, copied_database
from tests.support.people import give, players

pytestmark = pytest.mark.usefixtures("at_rest")


def a_day(crowd: list[User]) -> None:
    """Between the backup and the accident: scores, a first score, a hide, a rename, and sweeps all along."""
    for user in crowd[:4]:
        give(user, 7)
    User.objects.filter(pk=crowd[0].pk).update(is_hidden=True)
    User.objects.filter(pk=crowd[1].pk).update(username="renamed")
    ledger.announce_players([crowd[0].pk, crowd[1].pk])


def restored_whole(board: Board, crowd: list[User]) -> None:
    with copied_database() as backup:
        a_day(crowd)
        sweep.sweep(board)
        assert_agreement(board)
        backup.restore()


def restored_in_place(board: Board, crowd: list[User]) -> None:
    backup = CopiedTables()
    a_day(crowd)
    sweep.sweep(board)
    assert_agreement(board)
    backup.restore()


RESTORES = [restored_whole, restored_in_place]
Restore = Callable[[Board, list[User]], None]


@pytest.fixture
def crowd(board: Board) -> list[User]:
    """Five players with points, the fourth without."""
    crowd = players(5)
    for user in (*crowd[:3], crowd[4]):
        give(user, 50)
    return crowd


@pytest.mark.parametrize("restore", RESTORES)
def test_the_sweep_notices_and_makes_the_board_sql_s(board: Board, crowd: list[User], restore: Restore) -> None:
    restore(board, crowd)
    assert sweep.sweep(board).healed == 4
    assert_agreement(board)
    give(crowd[2], 1)  # a version that the board had seen before, with other points
    assert ranking.top(board, 1).rows[0].score == 51
    assert_agreement(board)


@pytest.mark.parametrize("restore", RESTORES)
def test_the_control_by_its_transaction_number_alone_the_mark_looks_right(
    board: Board, crowd: list[User], restore: Restore
) -> None:
    restore(board, crowd)
    [mark] = ranking.meta(board, "swept")
    assert mark is not None
    source, _, oldest = mark.rpartition(":")
    now = changes.now()
    assert replace(now, source=source).since(mark) == int(oldest)
    assert now.since(mark) is None
    assert sweep.project_changes({board: int(oldest)})[board].healed == 0
    with pytest.raises(AssertionError):
        assert_agreement(board)


@pytest.mark.parametrize("restore", RESTORES)
def test_the_command_reports_redis_as_ahead_and_sql_wins(board: Board, crowd: list[User], restore: Restore) -> None:
    restore(board, crowd)
    out = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("reconcile_leaderboard", "--check", stdout=out)
    assert end.value.code == 1
    assert "ahead 3, extra 1, ledger 0" in out.getvalue()
    call_command("reconcile_leaderboard", stdout=out)
    assert_agreement(board)


@pytest.mark.parametrize("restore", RESTORES)
def test_who_is_new_again_while_everything_is_compared_is_compared_too(
    board: Board, crowd: list[User], restore: Restore
) -> None:
    """Their first score, of which the backup knows nothing, had the very version that they get now."""
    restore(board, crowd)
    given: list[int] = []

    def once(compared: int) -> None:
        if not given:
            standing = give(crowd[3], 5).standing
            assert standing is not None
            given.append(standing.version)

    reconcile.reconcile(board, progress=once)
    assert given == [1]
    assert_agreement(board)


@pytest.mark.parametrize("part", range(4), ids=["another cluster", "started anew", "another database", "another file"])
def test_a_mark_that_differs_in_one_part_is_of_another_database(board: Board, crowd: list[User], part: int) -> None:
    [mark] = ranking.meta(board, "swept")
    assert mark is not None
    assert changes.now().since(mark) is not None
    source, _, oldest = mark.rpartition(":")
    parts = source.split("/")
    assert len(parts) == 4
    parts[part] = str(int(parts[part]) - 1)
    redis_client.connection().hset(boards.keys(board).meta, "swept", f"{'/'.join(parts)}:{oldest}")
    assert sweep.sweep(board).seen == 4  # everybody
    [mark] = ranking.meta(board, "swept")
    assert mark is not None
    assert changes.now().since(mark) is not None  # the next sweep has only to look at what changed
