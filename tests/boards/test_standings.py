"""Every board equals a plain recount of the history: in SQL, in Redis, and after each way by which it came about."""

import random
import uuid

import pytest
from django.db import connection, transaction

from accounts.models import User
from leaderboard import boards, ranking, rebuild, reconcile, sweep, truth
from leaderboard.boards import Board
from scoreboard import ledger, periods
from scoreboard.ledger import Entry
from scoreboard.models import BoardPeriod, BoardStanding, ScoreHistory
from tests.boards.every_rule import (
    assert_all_agree,
    in_redis,
    live_at_random,
    make_all_ready,
    make_every_rule,
)
from tests.support.boards import in_sql, make
from tests.support.client import Api
from tests.support.people import players, site_key


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))])
def test_live_entries_corrections_and_moves(board: Board, seed: int) -> None:
    chance, crowd = random.Random(seed), players(5)
    make_every_rule()
    for one in boards.everyone():
        reconcile.reconcile(one)
    live_at_random(chance, crowd, 25)
    make_all_ready()
    live_at_random(chance, crowd, 10)
    assert BoardStanding.objects.filter(shown=True).exists()
    assert_all_agree()
    for one in boards.everyone():
        rebuild.rebuild(one)  # parts on which nobody has scored are not there yet
        assert reconcile.reconcile(one, check=True).drift == 0


def test_what_one_call_takes_back_is_counted_once_a_board_however_many_entries_it_is(board: Board) -> None:
    """Each count is a pass over the player's history: one for each of a cheat's thousand entries would never end."""
    [user] = players(1)
    for slug, value in {"cup": "sum", "best": "best"}.items():
        make(slug, value=value)
        reconcile.reconcile(boards.get(slug))
    deed = {"source": ScoreHistory.Source.AWARD, "action_type": "LAP"}
    given = ledger.record([Entry(user.pk, uuid.uuid4(), delta=points, **deed) for points in range(1, 31)])  # type: ignore[arg-type]
    ledger.announce(outcome.standing for outcome in given)
    taken = ScoreHistory.objects.filter(user=user, delta__gt=2)
    back = [Entry(user.pk, uuid.uuid4(), ScoreHistory.Source.CORRECTION, -row.delta, reverses=row.pk) for row in taken]
    with transaction.atomic():
        before = standings_written()
        outcomes = ledger.record([*back, Entry(user.pk, uuid.uuid4(), delta=1, **deed)])  # type: ignore[arg-type]
        written = standings_written() - before
    ledger.announce(outcome.standing for outcome in outcomes)
    assert {outcome.outcome for outcome in outcomes} == {"recorded"}
    assert written == 3, "the deed on the board of sums, and once each board"
    assert [line.score for slug in ("cup", "best") for line in in_redis(boards.get(slug))] == [4, 2]
    assert_all_agree()


def standings_written() -> int:
    """Rows of standings that this transaction has written."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT n_tup_ins + n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = 'standings'")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_boards_made_later_are_filled_from_the_history(board: Board, seed: int) -> None:
    chance, crowd = random.Random(seed), players(5)
    live_at_random(chance, crowd, 25)
    make_every_rule()
    assert_all_agree()
    live_at_random(chance, crowd, 10)
    assert_all_agree()


def test_an_edited_rule_counts_points_already_given_and_leaves_no_ghost(board: Board) -> None:
    crowd = players(3)
    rule = make("laps", action_types=["LAP"])
    before = boards.get("laps")
    live_at_random(random.Random(5), crowd, 20)
    assert in_sql(before)
    rule.action_types, rule.value = ["QUIZ"], "best"
    rule.save()
    periods.keep()
    assert_all_agree()
    after = boards.get("laps")
    assert after.id != before.id
    assert not boards.listing().known(before)
    live_at_random(random.Random(6), crowd, 10)
    assert_all_agree()
    rule.delete()
    boards.forget()
    live_at_random(random.Random(7), crowd, 5)
    assert boards.find("laps") is None
    assert not BoardPeriod.objects.exists()
    periods.purge_stray()
    assert not BoardStanding.objects.exists()


def test_viewers_of_a_board_are_not_told_of_what_changed_on_others(board: Board) -> None:
    """The sweep writes every line of the player anew, under the version that the other board has raised."""
    [user] = players(1)
    make("best", value="best")
    best = boards.get("best")
    reconcile.reconcile(best)
    award(user, 9)
    before = ranking.meta(best, "seq")
    award(user, 5)
    assert sweep.sweep(best).seen == 1
    assert ranking.meta(best, "seq") == before
    assert in_redis(best) == in_sql(best)
    award(user, 10)
    assert ranking.meta(best, "seq") != before


def award(user: User, delta: int) -> None:
    ledger.announce(
        outcome.standing
        for outcome in ledger.record([Entry(user.pk, uuid.uuid4(), ScoreHistory.Source.AWARD, delta=delta)])
    )


def test_an_award_counts_by_the_region_that_comes_with_it(board: Board) -> None:
    """Also for a player who is made by it, and for one who has moved; a repeat moves no player."""
    make("region", attribute="region", attribute_value="*")
    api, key = Api(), site_key()
    deed = {"player": "42", "action_type": "COMPLETE_TASK"}
    for number, region in (("1", "eu"), ("2", "us"), ("1", "asia")):
        answer = api.post("/api/v1/awards", {**deed, "id": number, "attributes": {"region": region}}, headers=key)
        assert answer.status_code in (200, 201), answer.content
    make_all_ready()
    assert [row.score for row in truth.top(boards.get("region.eu"), 5).rows] == [10]
    assert [row.score for row in truth.top(boards.get("region.us"), 5).rows] == [10]
    assert boards.find("region.asia") is None
    assert User.objects.get(external_id="42").region == "us"
    assert_all_agree()
