"""PostgreSQL's clock was ahead and is set back: an entry counts by what its player was when it was recorded."""

from datetime import timedelta

import pytest

from accounts.models import User
from leaderboard import past as instants
from leaderboard.boards import Board
from scoreboard import periods
from scoreboard.models import BoardPeriod
from tests.support import past
from tests.support.boards import current, in_sql, lines_of, make, recounted

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(("region", "scores"), [("eu", [1]), ("us", [6])])
def test_an_entry_counts_by_the_value_that_was_recorded_last_before_it(
    board: Board, alice: User, region: str, scores: list[int]
) -> None:
    start = periods.clock() - timedelta(hours=1)
    past.write(
        [
            past.Event(start + 10 * MINUTE, alice.pk, name="region", value="eu"),
            past.Event(start + 11 * MINUTE, alice.pk, 1),
            # Here the clock is set back.
            past.Event(start, alice.pk, name="region", value="us"),
            past.Event(start + 5 * MINUTE, alice.pk, 2),
            past.Event(start + 20 * MINUTE, alice.pk, 4),
        ]
    )
    rule = make("mine", attribute="region", attribute_value=region)
    period = BoardPeriod.objects.get(board=rule)
    assert [line.score for line in in_sql(current("mine"))] == scores
    assert in_sql(current("mine")) == recounted(period)
    assert periods.wrong_standings(period.pk) == []
    asked = instants.find("mine", start + 30 * MINUTE)
    assert [line.score for line in lines_of(instants.top(asked, 10, 0))] == scores
