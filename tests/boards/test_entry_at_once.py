"""Joining and leaving while awards are written, rules changed and boards deleted."""

from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from leaderboard import boards, rebuild
from scoreboard import entrants, periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardEntrant, BoardPeriod, BoardStanding
from tests.boards.every_rule import assert_all_agree, in_redis
from tests.boards.joining import join, leave
from tests.support.boards import award, in_sql, keep, make, recounted
from tests.support.client import Api, assert_problem
from tests.support.people import players
from tests.support.processes import eventually
from tests.support.races import Meanwhile, at_once, blocking, none_failed

pytestmark = pytest.mark.usefixtures("board", "unlimited")


def hasty_join(rule: Rule, user: User) -> None:
    """Without the lock of the total: what joining would be if it did not wait."""
    period = BoardPeriod.objects.get(board=rule, closed_at=None)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO board_entrants (board_id, user_id) VALUES (%s, %s)", [rule.pk, user.pk])
        cursor.execute("SELECT standings_recount(%s, ARRAY[%s]::uuid[])", [period.pk, user.pk])


@pytest.mark.parametrize("hasty", [False, True])
def test_who_joins_while_an_award_is_written_loses_nothing(alice: User, hasty: bool) -> None:
    rule = make("league", entry="join")
    award(alice, 5)
    with transaction.atomic():
        award(alice, 3)
        join = Meanwhile(lambda: (hasty_join if hasty else entrants.join)(rule, alice))
        eventually(lambda: join.ended or blocking(), "the join waits, or has not had to")
        assert join.ended == hasty
    join.outcome()
    scores = [line.score for line in in_sql(boards.get("league"))]
    assert scores == ([5] if hasty else [8])  # the control: without the lock three points are lost
    assert [line.score for line in recounted(BoardPeriod.objects.get(board=rule))] == [8]


def test_an_award_that_waits_for_a_join_counts(alice: User) -> None:
    rule = make("league", entry="join")
    award(alice, 5)
    with transaction.atomic():
        entrants.join(rule, alice)
        given = Meanwhile(lambda: award(alice, 3))
        given.wait_until_blocked()
    given.outcome()
    assert [line.score for line in in_sql(boards.get("league"))] == [8]
    assert_all_agree()


@pytest.mark.long
def test_a_thousand_join_at_once(board: Any) -> None:
    rule, crowd, hands = make("league", entry="join"), players(1000), 16
    for user in crowd[::50]:
        award(user, 5)
    league = boards.get("league")
    rebuild.rebuild(league)

    def some(number: int) -> None:
        for user in crowd[number::hands]:
            assert entrants.join(rule, user)
            award(user, 1)

    none_failed(at_once(hands, some))
    assert BoardEntrant.objects.count() == 1000
    lines = in_sql(league)
    assert len(lines) == 1000
    assert lines == in_redis(league) == recounted(BoardPeriod.objects.get(board=rule))


def test_joins_leaves_awards_and_changes_of_the_rule_at_once(board: Any) -> None:
    rule, crowd = make("league", entry="join"), players(4)

    def one(number: int) -> None:
        for turn in range(12):
            user = crowd[(number + turn) % 4]
            match (number + turn) % 3:
                case 0:
                    award(user, 2)
                case 1:
                    entrants.join(rule, user)
                case _:
                    entrants.leave(rule, user)

    def change(number: int) -> None:
        for turn in range(6):
            Rule.objects.filter(pk=rule.pk).update(value=("best", "sum")[turn % 2])

    none_failed(at_once(7, lambda number: change(number) if number == 6 else one(number)))
    keep()
    assert_all_agree()


def test_a_board_that_is_deleted_leaves_no_entrant_behind(api: Api, alice: User) -> None:
    rule = make("league", entry="join")
    entrants.join(rule, alice)
    crowd = players(8)

    def one(number: int) -> Any:
        if number == 4:
            Rule.objects.get(pk=rule.pk).delete()
            return 204
        return join(Api(), crowd[number]).status_code

    answers = none_failed(at_once(8, one))
    assert answers[4] == 204
    assert set(answers) <= {201, 204, 404}
    assert not BoardEntrant.objects.exists()
    assert_problem(join(api, alice), "not-found")
    assert_problem(leave(api, alice), "not-found")
    boards.forget()
    periods.purge_stray()
    assert not BoardStanding.objects.exists()
