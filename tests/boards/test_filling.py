"""A board that is made over a history is filled beside live traffic: nothing is lost, and nothing counts twice."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from leaderboard import boards
from leaderboard.boards import Board
from scoreboard import changes, periods
from scoreboard.models import Board as Rule
from scoreboard.models import BoardPeriod, BoardStanding
from tests.support.boards import award, current, in_sql, make, recounted
from tests.support.client import Api
from tests.support.people import players
from tests.support.races import Meanwhile, unfinished

pytestmark = pytest.mark.usefixtures("impatient")


def made_and_filled(slug: str) -> None:
    Rule.objects.create(slug=slug, title="New")
    periods.keep()


@pytest.mark.parametrize("value", ["sum", "best", "latest", "days"])
def test_points_given_between_counting_and_filling_count_once(
    board: Board, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    still, scoring, newcomer = players(3)
    award(still, 5)
    award(scoring, 7)
    counted = changes.stream

    def slow(sql: str, parameters: list[Any]) -> Iterator[list[tuple[Any, ...]]]:
        for rows in counted(sql, parameters):
            Meanwhile(lambda: (award(scoring, 3), award(newcomer, 2))).outcome()
            yield rows

    monkeypatch.setattr(changes, "stream", slow)
    rule = make("later", value=value)
    monkeypatch.undo()
    assert len(in_sql(current("later"))) == 3
    assert in_sql(current("later")) == recounted(BoardPeriod.objects.get(board=rule))


def test_points_by_a_transaction_from_before_the_board_are_waited_for(board: Board) -> None:
    """It did not see that there is such a board, and enters its points nowhere."""
    slow, other = players(2)
    award(other, 5)
    with unfinished(slow, 50):
        rule = Rule.objects.create(slug="later", title="Later")
        periods.keep()
        assert BoardPeriod.objects.get(board=rule).filled_at is None
    periods.keep()
    boards.forget()
    assert [line.score for line in in_sql(current("later"))] == [50, 5]


def test_one_open_transaction_is_waited_for_once_however_many_boards_are_to_be_filled(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, settled = [], periods.settled
    monkeypatch.setattr(periods, "settled", lambda: waits.append(settled()) or waits[-1])  # type: ignore[func-returns-value]
    [slow] = players(1)
    for slug in ("one", "two", "three"):
        Rule.objects.create(slug=slug, title="New")
    with unfinished(slow, 50):
        periods.keep()
        assert (waits, BoardPeriod.objects.filter(filled_at=None).count()) == ([False], 3)
    periods.keep()
    assert (waits, BoardPeriod.objects.filter(filled_at=None).count()) == ([False, True], 0)


def test_a_board_deleted_while_it_is_filled_keeps_no_standing(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    [user] = players(1)
    award(user, 5)
    counted = changes.stream

    def gone(sql: str, parameters: list[Any]) -> Iterator[list[tuple[Any, ...]]]:
        for rows in counted(sql, parameters):
            Meanwhile(lambda: Rule.objects.get(slug="later").delete()).outcome()
            yield rows

    monkeypatch.setattr(changes, "stream", gone)
    Rule.objects.create(slug="later", title="Later")
    periods.keep()
    assert not BoardPeriod.objects.exists()
    assert not BoardStanding.objects.exists()


def test_a_board_made_a_moment_ago_is_there_in_every_process(board: Board, api: Api) -> None:
    """Also in one that looked which boards there are just before, and would not look again for a second."""
    for path in ("boards/{}", "scoreboard/top?board={}", "boards/{}/periods"):
        slug = f"new-{len(path)}"
        boards.refresh(at_once=True)
        Meanwhile(partial(made_and_filled, slug)).outcome()
        assert api.get(f"/api/v1/{path.format(slug)}").status_code == 200
