"""Who reached a total first ranks higher; SQL, Redis and the API have one order, down to the last tie."""

import random

import pytest

from accounts.models import User
from leaderboard import ranking, truth
from leaderboard.boards import Board
from scoreboard import ledger
from scoreboard.models import MAX_TOTAL
from tests.agreement import assert_agreement, assert_neighbours, shown, sql_rows
from tests.client import TOP, Api
from tests.people import entry, give, players

pytestmark = pytest.mark.usefixtures("unlimited")


def everything(api: Api, players: int) -> list[dict[str, object]]:
    """The whole board over the API, page by page."""
    rows: list[dict[str, object]] = []
    for offset in range(0, players, 50):
        answer = api.get(f"{TOP}?limit=50&offset={offset}")
        assert answer.status_code == 200
        assert answer.json()["players"] == players
        rows += answer.json()["data"]
    return rows


@pytest.mark.parametrize("total", [1, 500, MAX_TOTAL])
def test_200_equal_totals_rank_by_time_of_arrival_everywhere(board: Board, api: Api, total: int) -> None:
    crowd = players(200)
    random.Random(total).shuffle(crowd)
    for user in crowd:
        give(user, total)

    arrival = [str(user.pk) for user in crowd]
    assert [row.user_id for row in sql_rows()] == arrival
    assert_agreement(board)
    assert everything(api, 200) == shown(sql_rows())


def test_the_order_of_news_does_not_matter_only_the_time_of_reaching(board: Board) -> None:
    crowd = players(200)
    standings = [give(user, 77, announced=False).standing for user in crowd]
    random.Random(1).shuffle(standings)
    for standing in standings:
        ledger.announce([standing])
    assert [row.user_id for row in sql_rows()] == [str(user.pk) for user in crowd]
    assert_agreement(board)


def test_totals_reached_at_the_same_microsecond_rank_by_user_id_from_the_highest(board: Board, api: Api) -> None:
    crowd = players(60)
    outcomes = ledger.record([entry(user, 9) for user in crowd])
    assert len({outcome.standing.reached_at for outcome in outcomes if outcome.standing}) == 1
    ledger.announce(outcome.standing for outcome in outcomes)
    assert [row.user_id for row in sql_rows()] == sorted((str(user.pk) for user in crowd), reverse=True)
    assert_agreement(board)
    assert everything(api, 60) == shown(sql_rows())


def test_a_total_left_and_reached_again_ranks_by_the_second_time(board: Board) -> None:
    first, second = players(2)
    give(first, 10)
    give(second, 10)
    give(first, 5)
    give(first, -5)
    assert [row.user_id for row in sql_rows()] == [str(second.pk), str(first.pk)]
    assert_agreement(board)


def test_a_refused_or_empty_change_does_not_cost_the_place(board: Board) -> None:
    first, second = players(2)
    give(first, 10)
    give(second, 10)
    for outcome in (give(first, 0), give(first, -11), give(first, target=10)):
        assert outcome.outcome != "recorded"
    assert [row.user_id for row in sql_rows()] == [str(first.pk), str(second.pk)]
    assert_agreement(board)


def test_a_rename_or_a_hide_and_unhide_does_not_cost_the_place(board: Board) -> None:
    first, second = players(2)
    give(first, 10)
    give(second, 10)
    for change in ({"username": "new name"}, {"is_hidden": True}, {"is_hidden": False}):
        User.objects.filter(pk=first.pk).update(**change)
        ledger.announce_players([first.pk])
        assert_agreement(board)
    assert [row.user_id for row in sql_rows()] == [str(first.pk), str(second.pk)]


def test_random_totals_with_many_ties_up_to_the_largest(board: Board) -> None:
    chance = random.Random(7)
    crowd = players(150)
    for _ in range(3):
        chance.shuffle(crowd)
        goals = [chance.choice([1, 2, 3, MAX_TOTAL, MAX_TOTAL - 1, 2**52, 2**52 + 1]) for _ in crowd]
        wishes = [entry(user, target=goal) for user, goal in zip(crowd, goals, strict=True)]
        for start in range(0, len(wishes), 10):
            ledger.announce(outcome.standing for outcome in ledger.record(wishes[start : start + 10]))
    assert_agreement(board)


@pytest.mark.parametrize("radius", [0, 1, 5, 50])
def test_around_is_a_window_of_the_same_order(board: Board, radius: int) -> None:
    for user in players(30):
        give(user, 4)
    assert_neighbours(board, radius)


def test_sql_stands_in_with_the_same_order_and_the_same_pages(board: Board) -> None:
    crowd = players(40)
    for position, user in enumerate(crowd):
        give(user, position % 3 + 1)
    for limit, offset in [(1, 0), (10, 0), (10, 35), (100, 0), (5, 40), (5, 1_000_000)]:
        by_redis, by_sql = ranking.top(board, limit, offset), truth.top(board, limit, offset)
        assert (by_redis.rows, by_redis.players) == (by_sql.rows, by_sql.players)
