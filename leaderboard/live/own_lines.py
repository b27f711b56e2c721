"""Signed-in viewers' own lines: one read for all of them at every push, and at least once a second.

A player who climbs from 900 to 831 changes nothing in the visible top, so nothing is announced; hence the second. A
new score is therefore in its player's own line within PERSONAL_SECONDS plus the push interval.
"""

import asyncio
import time
from collections.abc import Callable

from django.conf import settings

from leaderboard import catch_up, tiers
from leaderboard.boards import Board
from leaderboard.live import messages, metrics
from leaderboard.live.messages import Packet
from leaderboard.live.viewer import Viewer
from leaderboard.ranking import Lost, Unavailable
from leaderboard.ranking.asynchronous import AsyncRanking

PERSONAL_SECONDS = 1.0

Line = tuple[int | None, int | None, int, dict[str, str | None]]  # score, rank, players, tier


class Player:
    """All viewers (tabs) of one player on one board, and the line they were shown last."""

    __slots__ = ("line", "packet", "viewers")

    def __init__(self) -> None:
        self.viewers: set[Viewer] = set()
        self.line: Line | None = None
        self.packet: Packet | None = None


class OwnLines:
    """The signed-in viewers of one board, by player. `follow` and `unfollow` are told the groups of their players."""

    def __init__(
        self, board: Board, ranking: AsyncRanking, follow: Callable[[str], None], unfollow: Callable[[str], None]
    ) -> None:
        self.board = board
        self.players: dict[str, Player] = {}
        self._ranking = ranking
        self._follow = follow
        self._unfollow = unfollow
        self._wanted = asyncio.Event()
        self._interval = settings.LEADERBOARD_PUSH_INTERVAL_MS / 1000

    def know(self, viewer: Viewer, user_id: str) -> None:
        """From now on the viewer gets this player's line, instead of another's if it had one."""
        if viewer.user_id == user_id:
            return
        self.forget(viewer)
        viewer.user_id = user_id
        player = self.players.get(user_id)
        if player is None:
            player = self.players[user_id] = Player()
            self._follow(f"player.{user_id}")
        player.viewers.add(viewer)
        metrics.SIGNED_IN.inc()
        if player.packet is not None:
            viewer.show_you(player.packet)
        self.wake()

    def forget(self, viewer: Viewer) -> None:
        """The viewer is anonymous from now on."""
        user_id, viewer.user_id, viewer.you = viewer.user_id, None, None
        if user_id is None:
            return
        metrics.SIGNED_IN.dec()
        player = self.players[user_id]
        player.viewers.discard(viewer)
        if not player.viewers:
            del self.players[user_id]
            self._unfollow(f"player.{user_id}")

    def tell(self, user_id: str, packet: Packet) -> None:
        """Something for this player, on every page that is open."""
        for viewer in tuple(self.players[user_id].viewers):
            viewer.reply(packet)

    def move(self, board: Board) -> None:
        """The lines of another board from here on; of another period nothing is known yet."""
        if board.id != self.board.id:
            for player in self.players.values():
                player.line = player.packet = None
                for viewer in player.viewers:
                    viewer.you = None
        self.board = board
        self.wake()

    def wake(self) -> None:
        """Have the lines read at the next opportunity, not only when their second is over."""
        self._wanted.set()

    async def run(self) -> None:
        read_at = 0.0
        while True:
            try:
                async with asyncio.timeout(PERSONAL_SECONDS if self.players else None):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(read_at + self._interval - time.monotonic())
            self._wanted.clear()
            read_at = time.monotonic()
            await self.refresh()

    async def refresh(self) -> None:
        """Reads every line and sends those that changed. While Redis has no answer no viewer is told anything."""
        user_ids, board = list(self.players), self.board
        if not user_ids:
            return
        try:
            catch_up.demand()
            players, places = await self._ranking.places(board, user_ids)
        except (Unavailable, Lost):
            return
        if board.id != self.board.id:
            return  # it has moved on meanwhile, and is to be read again
        for user_id, place in zip(user_ids, places, strict=True):
            player = self.players.get(user_id)
            line = (place.score, place.rank, players, tiers.shown(board.tiers, place.rank, players))
            if player is None or player.line == line:
                continue
            player.line = line
            player.packet = messages.you(*line)
            for viewer in tuple(player.viewers):
                viewer.show_you(player.packet)
