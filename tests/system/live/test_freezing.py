"""A frozen board as viewers see it: told of it, shown nothing newer, and each step of the revealing on every screen."""

import json
import urllib.request
from datetime import timedelta

from accounts.models import User
from leaderboard import boards, rebuild
from scoreboard import freezing, periods
from scoreboard.models import BoardReveal
from tests.support.boards import award, make
from tests.system.live.clients import Message, viewer, watcher
from tests.system.live.conftest import Start

SECONDS = 4  # from its edit until the board freezes


def shown(message: Message) -> dict[str, int]:
    return {row["username"]: row["score"] for row in message["top"]}


def test_viewers_are_told_of_a_freeze_see_nothing_newer_and_then_each_step(
    start: Start, alice: User, bob: User
) -> None:
    rule = make("final")
    for one in boards.everyone():
        rebuild.rebuild(one)
    server = start(LEADERBOARD_PUSH_INTERVAL_MS="50")
    award(alice, 10)
    server.get("/api/v1/scoreboard/top?board=final")  # from here on it knows what boards there are
    with viewer(server, "?board=final") as over_socket, watcher(server, "?board=final") as over_stream:
        both = (over_socket, over_stream)
        for screen in both:
            screen.scores({"alice": 10})
        rule.freeze_at = periods.clock() + timedelta(seconds=SECONDS)
        rule.save()
        periods.keep()
        for screen in both:
            notice = screen.until("notice")
            assert (notice["code"], notice["frozen_at"]) == ("frozen", rule.freeze_at.isoformat())
        award(bob, 100)
        award(alice, 7)
        award(bob, 1)
        with viewer(server, "?board=final") as late:
            hello, snapshot = late.opening()
            assert hello["frozen_at"] == snapshot["frozen_at"] == rule.freeze_at.isoformat()
            assert shown(snapshot) == {"alice": 10}
        for _ in range(3):  # by Django, and then from the process's own copy
            with urllib.request.urlopen(server.http("/api/v1/scoreboard/top?board=final")) as answer:  # noqa: S310
                told = json.load(answer)
            assert [row["score"] for row in told["data"]] == [10]
            assert told["board"]["frozen_at"] == rule.freeze_at.isoformat()
        freezing.reveal(rule, 60)
        reveal = BoardReveal.objects.select_related("board").get()
        for expected in ({"alice": 10, "bob": 100}, {"alice": 17, "bob": 100}, {"alice": 17, "bob": 101}):
            freezing.step(reveal)
            for screen in both:
                assert shown(screen.until("leaderboard_update")) == expected
        freezing.step(reveal)
        for screen in both:
            assert screen.until("notice")["code"] == "revealed"
        award(alice, 1)
        for screen in both:
            update = screen.until("leaderboard_update")
            assert (shown(update), "frozen_at" in update) == ({"alice": 18, "bob": 101}, False)
    periods.keep()
