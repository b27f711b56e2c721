"""A signed-in viewer's own line."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from pytest_django.fixtures import Settings

from api import redis_client
from leaderboard import boards, notifications, ranking
from tests.support.processes import eventually
from tests.system.live.clients import authorization, token_of, viewer, watcher
from tests.system.live.server import Server
from tests.system.live.writing import standing, user_id, write

ALICE = str(user_id("alice"))


def many(count: int) -> None:
    """Players ahead of everybody else."""
    ranking.write(boards.get("global"), [standing(f"p{number}", 1_000_000 + number) for number in range(count)])


def test_the_own_line_says_score_rank_and_players(live: Server) -> None:
    write("bob", 40)
    write("alice", 30)
    with viewer(live, protocols=("bearer", token_of())) as alice:
        assert alice.until("you") == {"type": "you", "score": 30, "rank": 2, "players": 2}
        write("alice", 50, 2)
        assert alice.until("you") == {"type": "you", "score": 50, "rank": 1, "players": 2}
        write("carol", 60)
        assert alice.until("you") == {"type": "you", "score": 50, "rank": 2, "players": 3}


def test_anonymous_viewers_have_none(live: Server) -> None:
    write("alice", 30)
    with viewer(live) as alice:
        alice.scores({"alice": 30})
        write("alice", 31, 2)
        assert alice.next()["type"] == "leaderboard_update"


def test_far_below_the_visible_top_it_is_still_current(live: Server) -> None:
    """Nothing is announced there: the line is read every second."""
    many(boards.VISIBLE_TOP + 30)
    write("alice", 1)
    with viewer(live, protocols=("bearer", token_of())) as alice:
        alice.until("you", rank=131)
        write("alice", 1_000_005, 2)
        line = alice.until("you", score=1_000_005)
        assert line["rank"] == 126


def test_a_player_without_points_has_a_score_and_no_rank(live: Server) -> None:
    write("bob", 40)
    with viewer(live, protocols=("bearer", token_of())) as alice:
        assert alice.until("you") == {"type": "you", "score": 0, "rank": None, "players": 1}


def test_a_hidden_player_is_not_told_a_score_the_board_does_not_have(live: Server) -> None:
    write("alice", 30)
    with viewer(live, protocols=("bearer", token_of())) as alice:
        alice.until("you", rank=1)
        write("alice", 30, 2, visible=False)
        assert alice.until("you") == {"type": "you", "score": None, "rank": None, "players": 0}


def test_all_tabs_of_a_player_get_it_and_nobody_else_does(live: Server) -> None:
    with (
        viewer(live, protocols=("bearer", token_of())) as tab,
        watcher(live, **authorization(token_of())) as other_tab,
        viewer(live, protocols=("bearer", token_of(str(user_id("bob"))))) as bob,
    ):
        for watching in (tab, other_tab, bob):
            watching.until("you", score=0)
        write("alice", 30)
        for watching in (tab, other_tab):
            watching.until("you", score=30, rank=1)
        assert bob.until("you", players=1)["score"] == 0


def test_a_total_that_another_program_wrote_ends_no_process(live: Server) -> None:
    """Of an infinite one no line can be told; the process lives to tell the next."""
    write("bob", 40)
    write("alice", 30)
    with viewer(live, protocols=("bearer", token_of())) as alice:
        alice.until("you", rank=2)
        redis: Any = redis_client.connection()
        keys = boards.keys(boards.get("global"))
        member = redis.hget(keys.player, ALICE).partition(b":")[2]
        redis.zadd(keys.rank, {member: "inf"})
        before = live.metric("scoreboard_redis_seconds_count", call="places")
        eventually(lambda: live.metric("scoreboard_redis_seconds_count", call="places") > before, "lines are read")
        write("alice", 50, 2)
        assert alice.until("you", score=50)["rank"] == 1


def test_groups_are_left_with_their_last_viewer(live: Server) -> None:
    eventually(lambda: live.metric("scoreboard_live_groups") == 1, "only the board's own group")
    with viewer(live, protocols=("bearer", token_of())) as tab:
        with viewer(live, protocols=("bearer", token_of())) as other_tab:
            other_tab.until("you")
        tab.until("you")
        eventually(lambda: live.metric("scoreboard_live_groups") == 2, "alice's group, once")
    eventually(lambda: live.metric("scoreboard_live_groups") == 1, "only the board's own group again")


@pytest.mark.parametrize("message", [{}, {"type": "board.changed"}, {"type": "x"}, {"type": 7, "player": ALICE}])
def test_what_others_send_to_a_group_does_no_harm(live: Server, message: dict[str, Any]) -> None:
    with viewer(live) as alice:
        alice.opening()
        async_to_sync(get_channel_layer().group_send)("board.global", message)
        write("alice", 30)
        assert alice.until("leaderboard_update")["top"][0]["score"] == 30


def test_news_that_nobody_can_send_fail_nothing(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {**settings.CHANNEL_LAYERS["default"], "CONFIG": {"hosts": ["redis://127.0.0.1:9/0"]}}
    }
    assert not notifications.standings_changed([user_id("alice")])
