"""Any board, and any of its periods, is compared by the command and taken away as a file."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import User
from api import redis_client
from leaderboard import boards, ranking, rebuild
from scoreboard import periods
from scoreboard.models import BoardPeriod
from tests.boards.exports import exported_lines
from tests.support.boards import award, make, recounted
from tests.support.client import Api, assert_problem
from tests.support.people import player, site_key

pytestmark = pytest.mark.usefixtures("board", "unlimited")


def test_the_command_compares_and_repairs_the_board_it_is_asked_for_with_all_its_parts(
    alice: User, capsys: pytest.CaptureFixture[str]
) -> None:
    for region in ("eu", "us"):
        award(player(region=region), 5)
    make("weekly", window="weekly")
    make("region", attribute="region", attribute_value="*")
    for board in boards.everyone():
        rebuild.rebuild(board)
    spoiled = boards.get("region.us")
    [row] = ranking.top(spoiled, 1).rows
    keys = boards.keys(spoiled)
    members: Any = redis_client.connection().zrange(keys.rank, 0, -1)
    for member in members:
        redis_client.connection().zincrby(keys.rank, 1, member)

    call_command("reconcile_leaderboard", "--board", "weekly")
    said = capsys.readouterr().out
    assert f"board weekly {boards.get('weekly').period}: compared" in said
    assert "board global" not in said
    assert ranking.top(spoiled, 1).rows[0].score == row.score + 1

    call_command("reconcile_leaderboard", "--board", "region")
    said = capsys.readouterr().out
    assert "board region.eu: compared" in said
    assert "repaired 1" in said
    assert ranking.top(spoiled, 1).rows == [row]


def test_an_export_is_of_the_board_and_period_that_it_was_asked_for(api: Api, alice: User, bob: User) -> None:
    reader = site_key("read")
    award(alice, 5)
    award(bob, 7)
    rule = make("laps", window="daily", value="best", order="low")
    today = BoardPeriod.objects.filter(board=rule).order_by("starts_at")[0]
    expected = [(str(line.user_id), str(line.score)) for line in recounted(today)]
    assert [(row["user_id"], row["score"]) for row in exported_lines(api, "laps", headers=reader)] == expected
    assert [row["username"] for row in exported_lines(api, "global", headers=reader)] == ["bob", "alice"]

    BoardPeriod.objects.filter(pk=today.pk).update(ends_at=datetime.now(UTC))
    assert periods.close_ended() == 1
    boards.forget()
    award(alice, 1)
    closed = exported_lines(api, "laps", today.key, headers=reader)
    assert [(row["rank"], row["user_id"], row["score"]) for row in closed] == [
        (str(rank), *line) for rank, line in enumerate(expected, start=1)
    ]
    never = api.get("/api/v1/exports/board.csv?board=laps&period=1999-01-01", headers=reader)
    assert_problem(never, "not-found")
