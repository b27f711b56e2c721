"""Attempts: of each player so many entries of a period count, the first that are not taken back."""

import uuid
from typing import Any

import pytest

from accounts.models import User
from leaderboard import boards
from scoreboard import board_preview, freezing, ledger, periods
from scoreboard.ledger import Entry, Outcome
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, BoardStanding, ScoreHistory
from tests.boards.definitions import BOARDS, put
from tests.boards.every_rule import assert_all_agree
from tests.boards.freezing import freeze, reveal_all
from tests.support.boards import award, end_period, in_sql, keep, make, take_back
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import player, site_key

pytestmark = pytest.mark.usefixtures("board", "unlimited")


def score(slug: str = "board") -> int | None:
    """Of the one player."""
    lines = in_sql(boards.get(slug))
    return lines[0].score if lines else None


def left(api: Api, user: User, board: str = "board") -> Any:
    answer = api.get(f"/api/v1/score/me?board={board}", user)
    assert answer.status_code == 200, answer.content
    return answer.json()["data"].get("attempts_left")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # after 4, 2, 9 with two attempts; when 4 is taken back; when 2 is, too; when all are
        ({"value": "sum"}, [4, 6, 6, 11, 9, None]),
        ({"value": "best"}, [4, 4, 4, 9, 9, None]),
        ({"value": "best", "order": "low"}, [4, 2, 2, 2, 9, None]),
        ({"value": "latest"}, [4, 2, 2, 9, 9, None]),
        ({"value": "days"}, [1, 1, 1, 1, 1, None]),
    ],
    ids=str,
)
def test_the_first_that_stand_count(api: Api, alice: User, rule: dict[str, Any], expected: list[Any]) -> None:
    make("board", attempts=2, **rule)
    given, seen, told = list[Outcome](), [], [left(api, alice)]
    for points in (4, 2, 9):
        given.append(award(alice, points))
        seen.append(score())
        told.append(left(api, alice))
    for outcome in given:
        take_back(outcome)
        seen.append(score())
        told.append(left(api, alice))
    assert seen == expected
    assert told == [2, 1, 0, 0, 0, 1, 2]
    assert_all_agree()
    assert award(alice, 3).new_total == 3
    assert left(api, alice) == 1
    assert_all_agree()


def test_an_entry_that_gains_nothing_is_an_attempt_all_the_same(api: Api, alice: User) -> None:
    make("board", value="best", attempts=2)
    for points in (5, 3, 8):
        award(alice, points)
    assert (score(), left(api, alice)) == (5, 0)
    assert api.get("/api/v1/score/me", alice).json()["data"]["score"] == 16  # the total has every point


def test_one_call_with_several_entries_uses_several(api: Api, alice: User) -> None:
    make("board", attempts=2)
    deeds = [
        Entry(alice.pk, uuid.uuid4(), ScoreHistory.Source.AWARD, points, action_type="LAP") for points in (1, 2, 4)
    ]
    ledger.announce(outcome.standing for outcome in ledger.record(deeds))
    assert (score(), left(api, alice)) == (3, 0)
    assert_all_agree()


def test_of_a_sum_what_remains_of_an_entry_is_an_attempt(api: Api, alice: User) -> None:
    make("board", attempts=1)
    first = award(alice, 5)
    award(alice, 7)
    take_back(first, 2)
    assert (score(), left(api, alice)) == (3, 0)
    take_back(first, 3)
    assert (score(), left(api, alice)) == (7, 0)
    assert_all_agree()


def test_only_entries_of_the_board_are_attempts_and_each_period_and_part_has_its_own(api: Api, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(region="eu")
    make("board", window="daily", attempts=1, action_types=["LAP"], attribute="region", attribute_value="*")
    award(alice, 3, "QUIZ")
    assert left(api, alice, "board.eu") == 1
    award(alice, 4)
    User.objects.filter(pk=alice.pk).update(region="us")
    award(alice, 5)
    keep()
    assert (score("board.eu"), score("board.us")) == (4, 5)
    assert left(api, alice, "board.eu") == left(api, alice, "board.us") == 0
    assert_all_agree()
    make("daily", window="daily", attempts=1)
    closed, _ = end_period("daily")
    assert left(api, alice, "daily") == 1
    mine = api.get(f"/api/v1/score/me?board=daily&period={closed}", alice).json()["data"]
    assert (mine["score"], "attempts_left" in mine) == (3, False)


def test_a_board_made_later_or_changed_counts_the_same(api: Api, alice: User, bob: User) -> None:
    for points in (5, 1, 9):
        award(alice, points)
    award(bob, 7)
    key = site_key("boards")
    body = {"slug": "board", "title": "Board", "value": "best", "attempts": 2}
    assert api.post(BOARDS, body, headers=key).json()["data"]["attempts"] == 2
    assert [row["score"] for row in api.get(f"{TOP}?board=board").json()["data"]] == [7, 5]
    assert (left(api, alice), left(api, bob), left(api, player())) == (0, 1, 2)
    assert put(api, "board", {"attempts": 3}, key).json()["data"]["attempts"] == 3
    assert [row["score"] for row in api.get(f"{TOP}?board=board").json()["data"]] == [9, 7]
    assert (left(api, alice), left(api, bob)) == (0, 2)
    assert put(api, "board", {"attempts": None}, key).json()["data"]["attempts"] is None
    assert left(api, alice) is None
    known = BoardPeriod.objects.values("pk")
    assert not BoardStanding.objects.filter(period_id__in=known).exclude(attempts_left=None).exists()
    assert_all_agree()


def test_a_preview_counts_attempts(alice: User) -> None:
    for points in (5, 1, 9):
        award(alice, points)
    [preview] = board_preview.of(Rule(slug="new", title="New", attempts=2))
    assert preview.lines == [(1, "alice", 6)]


@pytest.mark.parametrize("wrong", [0, -1, 10_001, 10**30, "3", 2.5, True, [3], {}], ids=str)
def test_what_is_no_number_of_attempts_is_a_400_on_the_field(api: Api, wrong: Any) -> None:
    make("board", attempts=2)
    key = site_key("boards")
    for answer in (
        api.post(BOARDS, {"slug": "new", "title": "New", "attempts": wrong}, headers=key),
        put(api, "board", {"attempts": wrong}, key),
    ):
        assert list(assert_problem(answer, "invalid-request")["errors"]) == ["attempts"]
    assert list(Rule.objects.values_list("slug", "attempts")) == [("board", 2)]


def test_a_frozen_board_does_not_tell_of_attempts_after_the_freeze(api: Api, alice: User) -> None:
    rule = make("board", value="best", attempts=3)
    award(alice, 5)
    freeze(rule)
    award(alice, 3)
    award(alice, 2)
    award(alice, 9)
    assert left(api, alice) == 2
    reveal_all(rule)
    keep()
    assert (score(), left(api, alice)) == (5, 0)
    award(alice, 8)
    assert (score(), left(api, alice)) == (5, 0)
    assert_all_agree()


def test_an_attempt_used_up_while_a_board_is_revealed_is_used_up(api: Api, alice: User, bob: User) -> None:
    """It changes neither points nor time: that the public period lacks it can be seen by what is left alone."""
    rule = make("board", value="best", attempts=2)
    award(alice, 5)
    freeze(rule)
    award(bob, 1)
    freezing.reveal(rule, 0.5)
    award(alice, 4)
    reveal_all(rule)
    keep()
    assert left(api, alice) == 0
    award(alice, 9)
    assert [line.score for line in in_sql(boards.get("board"))] == [5, 1]
    assert_all_agree()


def test_a_reconcile_finds_and_mends_a_wrong_number_of_attempts(alice: User) -> None:
    make("board", value="best", attempts=2)
    award(alice, 5)
    period = BoardPeriod.objects.get(board__slug="board").pk
    BoardStanding.objects.update(attempts_left=2)
    assert periods.wrong_standings(period) == [alice.pk]
    periods.mend(period, [alice.pk])
    assert BoardStanding.objects.get().attempts_left == 1
    assert periods.wrong_standings(period) == []
