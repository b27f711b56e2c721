"""A live process as one member of groups: joined before anything is read, and anew when news may be missing."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from channels.layers import get_channel_layer
from pytest_django.fixtures import Settings

from leaderboard import boards
from leaderboard.live import groups
from leaderboard.live.groups import Groups, Membership
from tests.support.processes import PATIENCE
from tests.system.live.conftest import share
from tests.system.live.writing import empty_board, write

GROUP = "board.somewhere"


class Listener:
    """What a hub would be told."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.joined = 0
        self.groups = Groups(self.messages.append, self.count)

    def count(self) -> None:
        self.joined += 1

    async def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, what
            await asyncio.sleep(0.01)


def listening(test: Callable[[Listener, Any], Awaitable[None]], group: str = GROUP) -> None:
    """Runs the test beside a member of the group that has joined."""

    async def run() -> None:
        listener = Listener()
        listener.groups.follow(group)
        member = asyncio.create_task(listener.groups.run())
        try:
            await listener.until(lambda: listener.joined, "the group is joined")
            await test(listener, get_channel_layer())
        finally:
            member.cancel()
            await asyncio.wait([member])

    asyncio.run(run())


def test_from_the_moment_it_has_joined_nothing_is_missed() -> None:
    async def test(listener: Listener, layer: Any) -> None:
        for number in range(20):
            await layer.group_send(GROUP, {"type": "news", "number": number})
        await listener.until(lambda: len(listener.messages) == 20, "all arrive")
        assert [message["number"] for message in listener.messages] == list(range(20))
        assert listener.joined == 1

    listening(test)


def test_what_the_write_script_publishes_is_a_message_of_the_boards_group(settings: Settings) -> None:
    share(settings, f"{settings.REDIS_KEY_PREFIX}{uuid.uuid4().hex[:12]}:")
    epoch = empty_board()

    async def test(listener: Listener, layer: Any) -> None:
        written = write("alice", 30)
        await listener.until(lambda: listener.messages, "it is heard")
        [message] = listener.messages
        assert time.time() - 60 < message.pop("at") <= time.time()
        assert message == {"type": "board.changed", "board": "global", "epoch": epoch, "seq": written.seq}

    listening(test, boards.group(boards.get("global")))


def test_a_group_is_left_with_its_last_follower() -> None:
    async def test(listener: Listener, layer: Any) -> None:
        listener.groups.follow("player.x")
        listener.groups.follow("player.x")
        listener.groups.unfollow("player.x")

        async def heard() -> bool:
            before = len(listener.messages)
            await layer.group_send("player.x", {"type": "personal"})
            await layer.group_send(GROUP, {"type": "news"})
            await listener.until(lambda: listener.messages[before:][-1:] == [{"type": "news"}], "the news arrive")
            return {"type": "personal"} in listener.messages[before:]

        async def eventually_heard(wanted: bool) -> None:
            deadline = time.monotonic() + PATIENCE
            while await heard() is not wanted:
                assert time.monotonic() < deadline

        await eventually_heard(True)
        listener.groups.unfollow("player.x")
        await eventually_heard(False)

    listening(test)


def test_a_subscription_that_falls_silent_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a connection dies without either side being told: what is sent goes out, and nothing comes back."""
    monkeypatch.setattr(groups, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(groups, "PROBE_SECONDS", 0.1)

    async def test(listener: Listener, layer: Any) -> None:
        [shard] = layer._get_layer()._shards
        joined = listener.joined
        shard._receive_task.cancel()
        await listener.until(lambda: listener.joined > joined, "the groups are joined anew")
        monkeypatch.setattr(groups, "SILENCE_SECONDS", PATIENCE)  # on a busy machine it would seem silent again
        listener.messages.clear()
        await layer.group_send(GROUP, {"type": "news"})
        await listener.until(lambda: listener.messages == [{"type": "news"}], "it is heard again")

    listening(test)


def test_a_gap_in_what_it_sends_itself_means_that_news_may_be_missing() -> None:
    gaps: list[int] = []
    membership = Membership(None, lambda message: None, lambda: gaps.append(membership.last))
    for number in (1, 2, 3, 5, 6, 9):
        membership._probed(number)
    assert gaps == [1, 5, 9]
