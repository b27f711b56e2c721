"""Periods end exactly: an entry is in the one of its moment and in no other, and what was reached stays."""

import threading
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client

from accounts.models import User
from leaderboard import boards, finals
from leaderboard.boards import Board, known
from scoreboard import ledger, periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, BoardStanding, FinalStanding, ScoreHistory
from tests.support import past
from tests.support.boards import award, away, cut, end_period, in_finals, in_sql, make, now, recounted
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import give, player, players
from tests.support.processes import PATIENCE, eventually
from tests.support.races import at_once, blocking, none_failed, unfinished

pytestmark = pytest.mark.usefixtures("impatient")

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def ended(rule: Rule) -> BoardPeriod:
    """A period of this board that is over now, and was open a moment before."""
    boundary = now() + SECOND / 2
    ending, _ = cut(rule, boundary)
    passed(boundary)
    return ending


def passed(at: datetime) -> None:
    eventually(lambda: now() > at, "the period is over")


def closed(period: BoardPeriod) -> bool:
    """After one visit of whoever keeps the boards."""
    periods.keep()
    boards.forget()
    period.refresh_from_db()
    return period.closed_at is not None


@pytest.mark.parametrize("value", ["sum", "best", "days"])
def test_entries_at_the_boundary_are_in_one_period_each_and_none_is_lost(board: Board, value: str) -> None:
    slow, crowd = player("slow"), players(5)
    rule = make("daily", window="daily", value=value)
    with unfinished(slow, 50):
        boundary = now() + SECOND
        ending, following = cut(rule, boundary)

        def work(number: int) -> None:
            if number == len(crowd):
                while now() < boundary + SECOND / 2:
                    periods.keep()
            else:
                while now() < boundary + SECOND / 2:
                    award(crowd[number], 1 + number)
                award(crowd[number], 1 + number)

        none_failed(at_once(len(crowd) + 1, work))
        assert not closed(ending)  # the slow entry may be of it, and is
    eventually(lambda: closed(ending), "the period is closed")
    assert in_finals(ending) == recounted(ending)
    assert slow.pk in {line.user_id for line in in_finals(ending)}
    assert in_sql(boards.get("daily")) == recounted(following)
    assert {line.user_id for line in recounted(following)} == {user.pk for user in crowd}
    if value == "sum":
        kept = sum(line.score for line in [*in_finals(ending), *in_sql(boards.get("daily"))])
        assert kept == sum(ScoreHistory.objects.values_list("delta", flat=True))


def test_a_period_is_not_closed_while_the_newest_transaction_is_from_before_its_end(board: Board) -> None:
    """Nothing that began later has ended: to PostgreSQL's snapshots its number is one that was not given out yet."""
    slow, rule = player("slow"), make("daily", window="daily")
    with unfinished(slow, 5):
        ending = ended(rule)
        assert periods.close_ended() == 0
    assert periods.close_ended() == 1
    assert [line.score for line in in_finals(ending)] == [5]


def test_entries_of_exactly_the_end_and_just_before_it(board: Board) -> None:
    """By the history, which is what fills a period: the first microsecond is of the next one."""
    early, late = players(2)
    rule = make("daily", window="daily")
    [current] = BoardPeriod.objects.filter(board=rule, filled_at__isnull=False, starts_at__lte=now())
    assert current.starts_at
    just_before = current.starts_at - timedelta(microseconds=1)
    past.write([past.Event(just_before, early.pk, 5), past.Event(current.starts_at, late.pk, 7)])
    away(rule, just_before)
    periods.keep()
    before, after = BoardPeriod.objects.filter(board=rule, starts_at__lte=now()).order_by("starts_at")
    assert [line.user_id for line in in_finals(before)] == [early.pk]
    boards.forget()
    assert [line.user_id for line in in_sql(boards.get("daily"))] == [late.pk]
    assert after.closed_at is None


@pytest.mark.parametrize(
    "kind",
    [
        {"window": "daily", "zone": "Europe/Paris"},
        {"window": "days", "every_days": 3, "starts_on": "2026-01-01"},
        {"window": "daily", "attribute": "region", "attribute_value": "*"},
    ],
)
def test_beat_away_over_many_ends_and_back_every_period_is_there_and_right(board: Board, kind: dict[str, str]) -> None:
    crowd, start = players(4), now() - 13 * DAY
    events = [past.Event(start + HOUR, user.pk, name="region", value="eu") for user in crowd]
    events += [past.Event(start + timedelta(hours=2 + 7 * step), crowd[step % 4].pk, step + 1) for step in range(42)]
    past.write(events)
    rule = make("season", **kind)
    away(rule, start)
    periods.keep()
    periods.keep()
    boards.forget()
    made = list(BoardPeriod.objects.filter(board=rule).order_by("starts_at"))
    assert all(one.ends_at == other.starts_at for one, other in pairwise(made))
    over = [period for period in made if period.ends_at and period.ends_at <= now()]
    assert len(over) >= 4
    for period in over:
        assert period.closed_at
        assert in_finals(period) == recounted(period)
    assert all(in_finals(period) for period in over[1:])  # the first may have begun, and ended, before the first entry
    assert [period.closed_at for period in made if period not in over] == [None] * (len(made) - len(over))
    [current] = [period for period in made if period.starts_at and period.starts_at <= now() and period not in over]
    assert in_sql(boards.get("season.eu" if current.part else "season")) == recounted(current)


@pytest.mark.parametrize("wrong", [-HOUR, HOUR])
def test_a_web_process_whose_clock_is_wrong_shows_and_counts_the_right_period(
    board: Board, wrong: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an hour from a boundary, on either side of it."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return super().now(tz) + wrong

    [user] = players(1)
    rule = make("daily", window="daily")
    ending, following = cut(rule, now() + (HOUR / 2 if wrong > timedelta() else -HOUR / 2))
    right = ending if wrong > timedelta() else following
    monkeypatch.setattr(known, "datetime", Clock)
    boards.forget()
    award(user)
    assert boards.get("daily").id == right.pk
    assert [line.user_id for line in in_sql(boards.get("daily"))] == [user.pk]
    assert boards.get("daily") in boards.everyone()


def test_a_late_correction_leaves_a_closed_season_as_it_came_out_and_stands_beside_it(
    board: Board, client: Client
) -> None:
    winner, other = players(2)
    rule = make("daily", window="daily")
    award(winner, 9)
    award(other, 5)
    ending = ended(rule)
    eventually(lambda: closed(ending), "the period is closed")
    came_out = in_finals(ending)
    assert [line.score for line in came_out] == [9, 5]
    paid = ScoreHistory.objects.get(user=winner)
    award(winner, -9, reverses=paid.pk)
    periods.keep()
    boards.forget()
    assert in_finals(ending) == came_out
    answer = client.get(f"{TOP}?board=daily&period={ending.key}")
    [first, second] = answer.json()["data"]
    [late] = first["late_corrections"]
    assert (first["score"], late["score"], late["remaining"]) == (9, 9, 0)
    assert "late_corrections" not in second
    again = client.get(f"{TOP}?board=daily&period={ending.key}", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304
    page = client.get(f"/?board=daily&period={ending.key}").content.decode()
    assert "Taken back after the end" in page
    assert "9, of which 0 remain" in page
    assert in_sql(boards.get("daily")) == []
    assert not BoardStanding.objects.exists()
    assert ScoreHistory.objects.get(reverses=paid.pk).delta == -9
    assert [line.score for line in recounted(ending)] == [5]  # what the record beside it says


def test_of_what_did_not_count_there_is_no_late_correction(board: Board) -> None:
    """The second entry where one attempt counts."""
    [user] = players(1)
    rule = make("daily", window="daily", attempts=1)
    award(user, 9)
    award(user, 5)
    first, second = ScoreHistory.objects.order_by("id")
    ending = ended(rule)
    eventually(lambda: closed(ending), "the period is closed")
    award(user, -5, reverses=second.pk)
    came_out = boards.get("daily", ending.key)
    [row] = finals.top(came_out, 10).rows
    assert (row.score, row.late_corrections) == (9, ())
    award(user, -9, reverses=first.pk)
    [row] = finals.top(came_out, 10).rows
    assert [(one.score, one.remaining) for one in row.late_corrections] == [(9, 0)]


def test_a_period_that_ends_during_a_pause_comes_out_as_without_it(board: Board) -> None:
    one, other = players(2)
    rule = make("daily", window="daily")
    award(one, 3)
    cut(rule, now() + HOUR)
    rule.paused = True
    rule.save()
    boards.forget()
    assert boards.find("daily") is None
    award(other, 4)
    periods.keep()
    ending, following = BoardPeriod.objects.filter(board=rule, closed_at=None).order_by("starts_at")[:2]
    ending.ends_at = following.starts_at = now()
    ending.save()
    following.save()
    award(one, 2)
    periods.keep()
    rule.paused = False
    rule.save()
    periods.keep()
    boards.forget()
    ended, current = BoardPeriod.objects.filter(board=rule, starts_at__lte=now()).order_by("starts_at")
    assert [line.score for line in in_finals(ended)] == [4, 3]
    assert in_sql(boards.get("daily")) == recounted(current)
    assert [line.score for line in recounted(current)] == [2]


def test_an_edit_after_the_end_and_before_the_closing_loses_no_final_rank(board: Board) -> None:
    one, other = players(2)
    rule = make("daily", window="daily")
    award(one, 3)
    award(other, 4)
    ending = ended(rule)
    rule.order, rule.value = "low", "best"
    rule.save()
    ending.refresh_from_db()
    assert ending.closed_at
    boards.forget()
    rows = FinalStanding.objects.filter(period=ending).order_by("rank").values_list("user", "points")
    assert list(rows) == [(other.pk, 4), (one.pk, 3)]


def test_such_an_edit_fails_and_changes_nothing_while_an_entry_may_still_come(board: Board) -> None:
    slow = player("slow")
    rule = make("daily", window="daily")
    with unfinished(slow, 5):
        ending = ended(rule)
        rule.value = "best"
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        with pytest.raises(OperationalError, match="over and not closed yet"):
            rule.save()
        rule.refresh_from_db()
        assert rule.value == "sum"
        assert not closed(ending)
    assert closed(ending)
    assert [line.score for line in in_finals(ending)] == [5]


def test_a_season_that_is_prolonged_after_its_end_goes_on_and_the_first_result_stays(board: Board) -> None:
    one, other = players(2)
    rule = make("final", window="fixed", opens_at=now() - HOUR, closes_at=now() + HOUR)
    award(one, 3)
    rule.closes_at = now() + SECOND / 2
    rule.save()
    passed(rule.closes_at)
    [first] = BoardPeriod.objects.filter(board=rule)
    eventually(lambda: closed(first), "the season is closed")
    award(other, 5)
    rule.closes_at = now() + HOUR
    rule.save()
    periods.keep()
    periods.keep()
    boards.forget()
    assert boards.get("final").period == "all.2"
    assert [line.score for line in in_sql(boards.get("final"))] == [5, 3]
    assert [line.score for line in in_finals(first)] == [3]


def test_an_edited_board_has_its_period_though_one_with_that_key_was_closed(board: Board) -> None:
    """A day of an earlier rule and some days of this one have the same first day for a key."""
    [user] = players(1)
    rule = make("daily", window="daily")
    away(rule, now() - DAY)
    periods.keep()
    yesterday = BoardPeriod.objects.get(board=rule, closed_at__isnull=False)
    give(user, 1)
    award(user, 4)
    rule.window, rule.every_days, rule.starts_on = "days", 7, yesterday.key
    rule.save()
    periods.keep()
    boards.forget()
    assert boards.get("daily").period == f"{yesterday.key}.2"
    assert [line.score for line in in_sql(boards.get("daily"))] == [4]


def test_who_is_hidden_after_the_end_is_in_no_final_ranks_and_no_other_moves_up(board: Board) -> None:
    winner, other = players(2)
    rule = make("daily", window="daily")
    award(winner, 9)
    award(other, 5)
    ending = ended(rule)
    eventually(lambda: closed(ending), "the period is closed")
    User.objects.filter(pk=winner.pk).update(is_hidden=True)
    assert [line.user_id for line in in_finals(ending)] == [other.pk]
    over = boards.closed("daily", ending.key)
    assert over
    assert [row.rank for row in finals.top(over, 10).rows] == [2]
    assert finals.around(over, winner.pk, 5).rows == []
    User.objects.filter(pk=winner.pk).update(is_hidden=False)
    assert [line.user_id for line in in_finals(ending)] == [winner.pk, other.pk]


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("order", ["high", "low"])
def test_who_is_hidden_sees_the_own_score_of_a_closed_period(
    board: Board, api: Api, alice: User, bob: User, order: str
) -> None:
    """With a final rank that others are not shown, or with none."""
    make("daily", window="daily", value="best", order=order)
    award(alice, 5)
    award(bob, 9)
    hide(bob)
    ended, _ = end_period("daily")
    hide(alice)
    for user, score in ((alice, 5), (bob, 0)):
        mine = api.get(f"/api/v1/score/me?board=daily&period={ended}", user).json()["data"]
        assert (mine["score"], mine["rank"], mine["players"]) == (score, None, 1)
        assert_problem(api.get(f"/api/v1/score/{user.pk}?board=daily&period={ended}"), "not-found")


def hide(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_hidden=True)
    ledger.announce_players([user.pk])


def test_who_corrects_several_players_and_who_closes_never_wait_in_a_circle(board: Board) -> None:
    """Standings are dropped in the order in which they lie there: the correction takes the other one."""
    first, second = players(2)
    rule = make("daily", window="daily")
    award(first, 3)
    award(second, 4)
    ending = ended(rule)
    paid = {row.user_id: row.pk for row in ScoreHistory.objects.all()}
    begun = threading.Event()

    def correct() -> None:
        with transaction.atomic():
            award(second, -4, reverses=paid[second.pk])
            begun.set()
            eventually(blocking, "the other waits for us")
            award(first, -3, reverses=paid[first.pk])

    def close() -> None:
        assert begun.wait(PATIENCE)
        with connection.cursor() as cursor:
            cursor.execute(periods.CLOSE, [ending.pk])

    none_failed(at_once(2, lambda number: (correct, close)[number]()))
    boards.forget()
    assert in_finals(ending) == []
    assert not BoardStanding.objects.exists()
