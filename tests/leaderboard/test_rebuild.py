"""A lost board comes back from SQL, once, beside writers, and though a rebuilding process dies."""

import threading
import time
from typing import Any, cast

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from accounts.models import User
from api import redis_client
from leaderboard import boards, catch_up, ranking, reads, rebuild, sweep, truth
from leaderboard.boards import Board
from leaderboard.management.commands import reconcile_leaderboard
from scoreboard import changes, ledger
from tests.support.agreement import assert_agreement, dump, sql_rows
from tests.support.boards import make
from tests.support.people import give, player, players
from tests.support.processes import PATIENCE, eventually, python
from tests.support.races import at_once
from tests.support.spoiling import lose


def test_a_board_that_is_there_is_left_alone(board: Board) -> None:
    give(player(), 5)
    before = dump(board)
    assert not rebuild.rebuild(board)
    assert dump(board) == before


def test_a_rebuilt_board_is_sql_under_a_new_epoch_and_remembers_the_hidden(board: Board) -> None:
    shown, hidden = players(2)
    give(shown, 5)
    old = give(hidden, 9).standing
    User.objects.filter(pk=hidden.pk).update(is_hidden=True)
    ledger.announce_players([hidden.pk])
    epoch = ranking.epoch(board)
    lose(board)
    assert rebuild.rebuild(board)
    assert ranking.epoch(board) not in (None, epoch)
    assert_agreement(board)
    ledger.announce([old])  # news from before the hide, that arrives after the rebuild
    assert_agreement(board)


def test_of_16_processes_that_find_the_board_lost_one_rebuilds_it(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in players(20):
        give(user, 5)
    lose(board)
    begun: list[bool] = []
    begin_build = ranking.begin_build

    def counted(lost: Board, token: str) -> bool:
        begun.append(begin_build(lost, token))
        return begun[-1]

    monkeypatch.setattr(ranking, "begin_build", counted)
    assert at_once(16, lambda _: rebuild.rebuild(board)).count(True) == 1
    assert sum(begun) == 1  # without the lock they would take the board from each other
    assert_agreement(board)


def test_everyone_who_reads_a_lost_board_gets_sql_s_and_one_thread_rebuilds_it(board: Board) -> None:
    for user in players(20):
        give(user, 5)
    expected = sql_rows()
    lose(board)
    for page in at_once(16, lambda _: reads.top(board, 100)):
        assert isinstance(page, ranking.Page)
        assert page.rows == expected
    eventually(lambda: ranking.epoch(board), "the board is rebuilt")
    eventually(lambda: not rebuild._building.locked(), "the thread ends")
    assert_agreement(board)


def test_writes_beside_a_rebuild_are_not_lost(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores between the builder's reading of SQL and its writing to Redis, for players it has and has not read."""
    monkeypatch.setattr(changes, "CHUNK", 2)
    crowd = players(8)
    for user in crowd:
        give(user, 5)
    lose(board)
    real = ranking.write
    busy = threading.Lock()

    def everyone_scores(number: int) -> None:
        for user in (*crowd, player()):
            give(user, 1 + number)
        User.objects.filter(pk=crowd[number].pk).update(is_hidden=True)
        ledger.announce_players([crowd[number].pk])

    def interrupted(board: Board, *arguments: Any, **options: Any) -> ranking.Written:
        if options.get("builder") and busy.acquire(blocking=False):
            failed = [gone for gone in at_once(4, everyone_scores) if gone]
            assert failed == []
            busy.release()
        return real(board, *arguments, **options)

    monkeypatch.setattr(ranking, "write", interrupted)
    assert rebuild.rebuild(board)
    assert_agreement(board)


def test_an_answer_given_while_the_board_is_built_has_no_rank(board: Board, alice: User) -> None:
    """Half a board would make everyone a winner."""
    lose(board)
    assert ranking.acquire_lock(board, "another")
    assert ranking.begin_build(board, "another")
    outcome = give(alice, 5, announced=False)
    assert ledger.announce([outcome.standing]).get(alice.pk) is None
    assert reads.top(board, 10).rows == sql_rows()


def test_a_builder_that_was_overtaken_stops_and_changes_nothing(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    for user in players(3):
        give(user, 5)
    lose(board)
    real, overtaken = ranking.write, threading.Event()

    def overtake(board: Board, *arguments: Any, **options: Any) -> ranking.Written:
        if not overtaken.is_set():
            overtaken.set()
            lose(board)  # flushed in the middle of the build, lock and all
            redis_client.connection().delete(boards.keys(board).lock)
            assert rebuild.rebuild(board)
        return real(board, *arguments, **options)

    monkeypatch.setattr(ranking, "write", overtake)
    assert not rebuild.rebuild(board)
    assert_agreement(board)


def test_news_of_a_board_flushed_in_the_middle_of_its_build_is_swept(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in players(3):
        give(user, 5)
    lose(board)
    real = ranking.write

    def flushed(board: Board, *arguments: Any, **options: Any) -> ranking.Written:
        redis_client.connection().delete(*boards.keys(board).all(), boards.keys(board).lock)
        return real(board, *arguments, **options)

    monkeypatch.setattr(ranking, "write", flushed)
    assert not rebuild.rebuild(board)
    monkeypatch.undo()
    assert sweep.sweep(board).rebuilt
    assert_agreement(board)


def test_a_process_that_missed_a_score_has_caught_up_when_another_s_rebuild_has_ended_and_not_before(
    board: Board,
) -> None:
    user = player()
    give(user, 5)
    lose(board)
    assert ranking.acquire_lock(board, "other")
    assert ranking.begin_build(board, "other")
    at, mark = time.time(), changes.now()
    [before] = truth.everyone(board)
    give(user, 7, announced=False)  # Redis failed this process alone
    assert not catch_up.sweep_or_renew()
    ranking.write(board, before, builder="other")
    assert ranking.finish_build(board, "other", str(mark), at)
    assert catch_up.sweep_or_renew()
    assert_agreement(board)


def test_a_command_that_meets_a_rebuild_waits_for_it(
    board: Board, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for user in players(5):
        give(user, 5)
    lose(board)
    assert ranking.acquire_lock(board, "another process")
    refused: list[bool] = []
    real = rebuild.rebuild

    def counted(lost: Board) -> bool:
        refused.append(not real(lost))
        return not refused[-1]

    def work() -> None:
        try:
            call_command("reconcile_leaderboard")
        finally:
            connections.close_all()

    monkeypatch.setattr(rebuild, "rebuild", counted)
    command = threading.Thread(target=work)
    command.start()
    eventually(lambda: len(refused) > 1, "the command has met the other's lock, and again")
    ranking.release_lock(board, "another process")
    command.join(PATIENCE)
    assert not command.is_alive()
    assert "rebuilt from SQL" in capsys.readouterr().out
    assert_agreement(board)


def test_a_rebuild_that_does_not_end_is_told_and_the_other_boards_are_looked_at(
    board: Board, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reconcile_leaderboard, "PATIENCE", 0.0)
    make("week", window="weekly")
    rebuild.rebuild(boards.get("week"))
    lose(board)
    assert ranking.acquire_lock(board, "another process")
    with pytest.raises(CommandError, match="Another process is rebuilding board global") as refused:
        call_command("reconcile_leaderboard")
    assert refused.value.returncode == 3
    assert "board week" in capsys.readouterr().out


DIES = """
import os, signal
from leaderboard import boards, ranking, rebuild
real = ranking.write

def die(*arguments, **options):
    real(*arguments, **options)
    print("half built", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

ranking.write = die
rebuild.LOCK_SECONDS = 120
rebuild.rebuild(boards.get("global"))
"""


def test_a_builder_killed_at_work_frees_the_board_when_its_lock_runs_out(board: Board) -> None:
    for user in players(5):
        give(user, 5)
    lose(board)
    died = python(DIES)
    assert (died.stdout, died.returncode) == ("half built\n", -9), died.stderr

    redis = cast(Any, redis_client.connection())
    lock = boards.keys(board).lock
    assert 0 < redis.ttl(lock) <= 120
    assert not rebuild.rebuild(board)
    assert reads.top(board, 10).rows == sql_rows()  # SQL serves meanwhile
    give(player(), 6)
    eventually(lambda: not rebuild._building.locked(), "the rebuild that this set off has found the lock")
    redis.delete(lock)  # as its expiry does
    assert sweep.sweep(board).rebuilt
    assert_agreement(board)


def test_a_lock_that_another_holds_by_now_is_not_released(board: Board) -> None:
    assert ranking.acquire_lock(board, "one")
    redis_client.connection().set(boards.keys(board).lock, "another")
    rebuild.release(board, "one")
    assert redis_client.connection().get(boards.keys(board).lock) == b"another"
