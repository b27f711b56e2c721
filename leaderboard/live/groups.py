"""Channel-layer groups, for what is personal or rare: `player.<id>` and `board.<slug>`.

The process is one member of a group, however many of its viewers are concerned, and hands on what arrives.
`leaderboard.notices` sends.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from channels.layers import get_channel_layer

from leaderboard.live import messages, metrics

if TYPE_CHECKING:
    from leaderboard.live.hub import Hub

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0


class Groups:
    """The groups this process is in. `follow` and `unfollow` only note what is wanted; `run` brings it about."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._followers: dict[str, int] = {}
        self._joined: set[str] = set()
        self._changed = asyncio.Event()
        self._layer: Any = get_channel_layer()
        self._channel = ""
        self._receiving: asyncio.Task[None] | None = None

    def follow(self, group: str) -> None:
        self._followers[group] = self._followers.get(group, 0) + 1
        self._changed.set()

    def unfollow(self, group: str) -> None:
        self._followers[group] -= 1
        if not self._followers[group]:
            del self._followers[group]
            self._changed.set()

    async def run(self) -> None:
        for slug in self.hub.feeds:
            self.follow(f"board.{slug}")
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._settle()
            except Exception as error:
                # The layer raises whatever its Redis client does. Without it only rare news is late.
                log.warning("live_groups_unavailable", error=str(error))
                self._changed.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def _settle(self) -> None:
        """Joins and leaves until the groups are those that are followed."""
        if not self._channel:
            self._channel = await self._layer.new_channel("live.")
            self._receiving = asyncio.create_task(self._receive(), name="hub groups receive")
        while wanted := self._followers.keys() - self._joined:
            for group in wanted:
                await self._layer.group_add(group, self._channel)
                self._joined.add(group)
        for group in self._joined - self._followers.keys():
            await self._layer.group_discard(group, self._channel)
            self._joined.discard(group)
        metrics.GROUPS.set(len(self._joined))

    async def _receive(self) -> None:
        while True:
            message = await self._layer.receive(self._channel)
            try:
                self._deliver(message)
            except (KeyError, TypeError, ValueError):
                log.warning("live_group_message_unreadable", message=str(message)[:200])

    def _deliver(self, message: dict[str, Any]) -> None:
        """`notice.player`, `notice.board`, `standing.changed`: see `leaderboard.notices`."""
        for feed in self.hub.feeds.values():
            player = feed.personal.players.get(str(message.get("player")))
            match message["type"]:
                case "standing.changed" if player:
                    feed.personal.wake()
                case "notice.player" if player:
                    packet = messages.notice(None, message["code"], message["detail"])
                    for viewer in tuple(player.viewers):
                        viewer.reply(packet)
                case "notice.board" if message["board"] == feed.board.slug:
                    packet = messages.notice(feed.board.slug, message["code"], message["detail"])
                    for viewer in tuple(feed.viewers):
                        viewer.reply(packet)

    async def close(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()
            await asyncio.gather(self._receiving, return_exceptions=True)
        if self._channel:
            await self._layer.flush()
