"""Tiers on the wire: on every row, and in the own line."""

from leaderboard.boards import Board
from scoreboard.models import Board as Rule
from tests.support.boards import award, make
from tests.support.people import access_token, player
from tests.system.live.clients import viewer
from tests.system.live.conftest import Start, opened


def test_the_rows_and_the_own_line_have_their_tier(board: Board, start: Start) -> None:
    first, second = player(), player()
    for points, user in ((20, first), (10, second)):
        award(user, points)
    rule = make("league", tiers=[{"name": "gold", "ranks": 1}, {"name": "silver", "percent": 100}])
    with viewer(opened(start), "?board=league", protocols=("bearer", access_token(second))) as watching:
        assert [row["tier"] for row in watching.until("leaderboard_update")["top"]] == ["gold", "silver"]
        assert watching.until("you")["tier"] == "silver"
        award(second, 100)
        assert watching.until("you", tier="gold")["rank"] == 1
        Rule.objects.filter(pk=rule.pk).update(tiers=[{"name": "elite", "ranks": 1}])
        assert watching.until("you", tier="elite")["rank"] == 1
