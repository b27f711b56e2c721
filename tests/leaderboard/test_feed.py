"""A feed at the end of a period: what viewers are shown is of the period that it says it is of."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from accounts.models import User
from leaderboard import boards, rebuild, snapshots
from leaderboard.boards import Board
from leaderboard.live import feed, messages
from leaderboard.live.feed import Announced, Feed
from leaderboard.live.viewer import Viewer
from leaderboard.ranking import Page
from leaderboard.ranking.asynchronous import AsyncRanking
from leaderboard.ranking.calls import Place
from tests.support.boards import award, make
from tests.support.transport import SlowTransport

T = TypeVar("T")


class HeldRanking(AsyncRanking):
    """The real one; each answer waits until it may be `go`."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.read = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def top(self, board: Board) -> Page:
        return await self.held(await super().top(board))

    async def places(self, board: Board, user_ids: Any) -> tuple[int, list[Place]]:
        return await self.held(await super().places(board, user_ids))

    async def held(self, answer: T) -> T:
        self.read.set()
        await self.go.wait()
        return answer


class Watched:
    """A board's current period in a feed, and the one that comes after it."""

    def __init__(self) -> None:
        self.ending, self.following = boards.listing().slugs["daily"][:2]
        self.ranking = HeldRanking()
        self.feed = Feed(self.ending, self.ranking, lambda _: None, lambda _: None)

    def viewer(self, *, slow: bool = False) -> SlowTransport:
        transport = SlowTransport()
        transport.slow = slow
        viewer = Viewer(transport, "websocket", 10)
        self.feed.join(viewer)
        viewer.catch_up()
        return transport

    async def refresh(self) -> None:
        assert await self.feed.refresh(Announced())

    async def while_it_moves(self, reading: Awaitable[object]) -> None:
        """The period ends while the answer to a question about it is on its way."""
        self.ranking.go.clear()
        self.ranking.read.clear()
        task = asyncio.ensure_future(reading)
        await self.ranking.read.wait()
        self.feed.move(self.following)
        self.ranking.go.set()
        await task


def told(transport: SlowTransport) -> list[dict[str, Any]]:
    return [json.loads(packet.payload) for packet in transport.written]


def updates(messages: list[dict[str, Any]]) -> list[tuple[str, list[int]]]:
    """The period and the scores of each."""
    return [
        (one["period"], [row["score"] for row in one["top"]]) for one in messages if one["type"] == "leaderboard_update"
    ]


def run(test: Callable[[Watched], Awaitable[None]]) -> None:
    watched: list[Watched] = []

    async def whole() -> None:
        watched.append(Watched())
        try:
            await test(watched[0])
        finally:
            await watched[0].ranking.close()

    asyncio.run(whole())


@pytest.fixture(autouse=True)
def daily(board: Board, alice: User) -> None:
    make("daily", window="daily")
    for one in boards.listing().slugs["daily"][:2]:
        rebuild.rebuild(one)
    award(alice, 5)


def test_a_read_that_a_periods_end_overtakes_is_not_shown_as_the_next_period() -> None:
    async def test(watched: Watched) -> None:
        page = watched.viewer()
        await watched.while_it_moves(watched.feed.refresh(Announced()))
        assert [one for one in updates(told(page)) if one[0] == watched.following.period] == []
        assert snapshots.of(watched.following).current is None
        await watched.refresh()
        assert updates(told(page)) == [(watched.following.period, [])]

    run(test)


def test_a_slow_viewer_is_not_taken_back_to_the_period_that_is_over() -> None:
    async def test(watched: Watched) -> None:
        page = watched.viewer(slow=True)
        [viewer] = watched.feed.viewers
        viewer.reply(messages.bye())  # fills its transport
        await watched.refresh()
        watched.feed.own_lines.know(viewer, "unknown")
        viewer.show_you(messages.you(5, 1, 1, {}))
        watched.feed.move(watched.following)
        page.slow = False
        page.drain()
        await watched.refresh()
        assert [one["type"] for one in told(page)] == ["bye", "notice", "leaderboard_update"]
        assert updates(told(page)) == [(watched.following.period, [])]

    run(test)


def test_who_comes_between_a_periods_end_and_the_first_look_at_the_next_is_not_shown_the_former() -> None:
    async def test(watched: Watched) -> None:
        await watched.refresh()
        watched.feed.move(watched.following)
        page = watched.viewer()
        await watched.refresh()
        assert updates(told(page)) == [(watched.following.period, [])]

    run(test)


def test_a_push_that_a_periods_end_overtakes_goes_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "SLICE", 1)

    async def test(watched: Watched) -> None:
        pages = [watched.viewer(), watched.viewer()]
        push = asyncio.ensure_future(watched.refresh())
        while not any(page.written for page in pages):
            await asyncio.sleep(0)
        watched.feed.move(watched.following)
        await push
        await watched.refresh()
        first, second = sorted(map(told, pages), key=len, reverse=True)
        assert updates(first) == [(watched.ending.period, [5]), (watched.following.period, [])]
        assert updates(second) == [(watched.following.period, [])]

    run(test)


def test_own_lines_are_of_the_period_that_is_shown(alice: User) -> None:
    async def test(watched: Watched) -> None:
        own, page = watched.feed.own_lines, watched.viewer()
        [viewer] = watched.feed.viewers
        own.know(viewer, str(alice.pk))
        await own.refresh()
        await watched.while_it_moves(own.refresh())
        late = watched.viewer()
        own.know(next(one for one in watched.feed.viewers if one is not viewer), str(alice.pk))
        await own.refresh()
        assert [one["score"] for one in told(page) if one["type"] == "you"] == [5, 0]
        assert [one["score"] for one in told(late) if one["type"] == "you"] == [0]

    run(test)


def test_who_is_known_only_after_having_been_shown_out_is_forgotten_with_the_connection(alice: User) -> None:
    async def test(watched: Watched) -> None:
        watched.viewer()
        [viewer] = watched.feed.viewers
        watched.feed.leave(viewer)  # the hub ends it
        watched.feed.own_lines.know(viewer, str(alice.pk))  # the answer to who it is comes
        watched.feed.leave(viewer)  # the connection is gone
        assert watched.feed.own_lines.players == {}

    run(test)
