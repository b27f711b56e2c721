"""Who is given a notice by the closing of a period is told on every open page, whichever board it shows."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from api import redis_client
from leaderboard import boards
from leaderboard.boards import Board
from scoreboard import closing
from scoreboard.models import BoardPeriod
from tests.support.boards import award, end_period, keep, make
from tests.support.people import access_token, player
from tests.support.processes import eventually
from tests.system.live.clients import viewer, watcher
from tests.system.live.conftest import Start, opened

TEXT = 'You <b>won</b> "it" 🏆'


@pytest.fixture(autouse=True)
def same_layer(board: Board, settings: Settings) -> None:
    """This process sends to the groups that the server is in: those of the test's own prefix."""
    usual = settings.CHANNEL_LAYERS["default"]
    own = {**usual["CONFIG"], "prefix": f"{settings.REDIS_KEY_PREFIX}channels"}
    settings.CHANNEL_LAYERS = {"default": {**usual, "CONFIG": own}}


def test_open_pages_are_told_of_the_final_rank_and_nobody_elses(board: Board, alice: User, start: Start) -> None:
    bob = player("bob")
    make("daily", window="daily", close=[{"ranks": [1, 1], "notice": TEXT}])
    award(alice, 5)
    award(bob, 3)
    server = opened(start)
    with (
        viewer(server, protocols=("bearer", access_token(alice))) as socket,
        watcher(server, "?board=daily", Authorization=f"Bearer {access_token(alice)}") as stream,
        viewer(server, "?board=daily", protocols=("bearer", access_token(bob))) as other,
    ):
        for page in (socket, stream, other):
            page.until("you")
        eventually(lambda: followed(alice) and followed(bob), "the players' groups are followed")
        key, _ = end_period("daily")
        told = {"type": "notice", "code": "placed", "board": "daily", "period": key, "rank": 1, "detail": TEXT}
        assert socket.until("notice", code="placed") == told
        assert stream.until("notice", code="placed") == told
        award(bob, 4)
        seen = [other.next()]
        while not (seen[-1]["type"] == "you" and seen[-1]["score"] == 4):
            seen.append(other.next())
        assert [message["code"] for message in seen if message["type"] == "notice"] == ["closed"]
    assert closing.tell() == 0


def test_who_watches_one_period_is_told_that_it_is_over(board: Board, start: Start) -> None:
    make("daily", window="daily")
    make("cup", window="fixed", opens_at=timezone.now(), closes_at=timezone.now() + timedelta(hours=1))
    daily = BoardPeriod.objects.filter(board__slug="daily").order_by("starts_at")
    key, following = daily.values_list("key", flat=True)[:2]
    server, of_key = opened(start), f"?board=daily&period={key}"

    def ends(query: str) -> str:
        with watcher(server, query) as another:
            return str(another.opening()[0]["ends_at"])

    with viewer(server, "?board=cup") as cup, watcher(server, of_key) as stream:
        cup.opening()
        stream.opening()
        now = timezone.now()
        BoardPeriod.objects.filter(key__in=("all", key)).update(ends_at=now)
        BoardPeriod.objects.filter(key=following).update(starts_at=now)
        eventually(lambda: {ends("?board=cup"), ends(of_key)} == {now.isoformat()}, "the server knows of the end")
        keep()
        messages, code = cup.ending()
        for told, of in ((messages, ("cup", "all", None)), (stream.rest(), ("daily", key, following))):
            notice, error = told[-2:]
            assert (notice["code"], notice["board"], notice["period"], notice["next"]) == ("closed", *of)
            assert (error["code"], "over" in error["detail"]) == ("not-found", True)
        assert code == 4504
    with viewer(server, of_key) as late:
        [error], code = late.ending()
        assert (error["detail"], code) == (f"This board has no open period {key}.", 4504)


def followed(user: User) -> bool:
    channel = boards.channel(boards.GLOBAL).replace("board.global", f"player.{user.pk}")
    return bool(redis_client.connection().pubsub_numsub(channel) == [(channel.encode(), 1)])
