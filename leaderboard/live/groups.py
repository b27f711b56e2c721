"""This process as a member of channel-layer groups: `board.<name>`, whose top changed, and `player.<id>`.

One member of each group, however many of its viewers are concerned; the hub hands on inside. The write script and
`leaderboard.notifications` send.

The layer does not tell when it lost its connection, or got another. So the process sends itself a numbered message
through the groups' own subscription once a second. A gap in the numbers: other messages may have been missed, too.
None for SILENCE_SECONDS: the connection is dead, whether or not either side was told, and a new one is made.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Set
from contextlib import suppress
from typing import Any

import structlog
from channels.layers import get_channel_layer

from leaderboard.live import metrics

log = structlog.get_logger(__name__)

PROBE_SECONDS = 1.0  # the layer takes at least a second to come back, so that a gap swallows a probe
FIRST_PROBE_SECONDS = 0.1  # until the first has arrived
SILENCE_SECONDS = 3.0
RETRY_SECONDS = (0.1, 0.5)  # jitter: many processes must not come back to a restarted Redis in step
LEAVE_SECONDS = 0.5

Message = dict[str, Any]


class Silent(Exception):
    """Nothing comes back from the layer, though it takes what it is sent."""


class Groups:
    """Calls `received` with each message, `joined` whenever the groups were joined or messages may have been missed.

    `follow` and `unfollow` only note what is wanted; `run` brings it about.
    """

    def __init__(self, received: Callable[[Message], None], joined: Callable[[], None]) -> None:
        self._received = received
        self._joined = joined
        self._followers: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._layer: Any = get_channel_layer()
        self._lost = False

    def follow(self, group: str) -> None:
        self._followers[group] = self._followers.get(group, 0) + 1
        self._changed.set()

    def unfollow(self, group: str) -> None:
        self._followers[group] -= 1
        if not self._followers[group]:
            del self._followers[group]
            self._changed.set()

    async def run(self) -> None:
        """Is a member, again after every failure, for as long as the process lives."""
        while True:
            membership = Membership(self._layer, self._received, self._heard)
            try:
                await self._keep(membership)
            except Exception as error:
                # The layer raises whatever its Redis client does.
                if not self._lost:
                    log.warning("live_groups_lost", error=str(error) or type(error).__name__)
                self._lost = True
            finally:
                await membership.end()
            await asyncio.sleep(random.uniform(*RETRY_SECONDS))  # noqa: S311

    async def _keep(self, membership: "Membership") -> None:
        """Raises what the layer raises, and Silent."""
        while True:
            self._changed.clear()
            await membership.settle(self._followers.keys())
            await membership.probe()
            with suppress(TimeoutError):
                async with asyncio.timeout(PROBE_SECONDS if membership.last else FIRST_PROBE_SECONDS):
                    await self._changed.wait()

    def _heard(self) -> None:
        """Everything that was followed is subscribed to by now, and something may have been missed before."""
        metrics.SUBSCRIPTIONS.inc()
        self._lost = False
        self._joined()


class Membership:
    """One channel of the layer, from its making to its loss. `last`: the number of the last probe that came back."""

    def __init__(self, layer: Any, received: Callable[[Message], None], gap: Callable[[], None]) -> None:
        self.last = 0
        self._layer = layer
        self._received = received
        self._gap = gap
        self._channel = ""
        self._in: set[str] = set()
        self._probes = f"live.{uuid.uuid4().hex}"  # a group of its own
        self._sent = 0
        self._heard_at = time.monotonic()
        self._receiving: asyncio.Task[None] | None = None

    async def settle(self, wanted: Set[str]) -> None:
        """Joins and leaves until the groups are those that are wanted."""
        if self._receiving is None:
            self._channel = await self._layer.new_channel("live.")
            self._receiving = asyncio.create_task(self._receive(), name="hub groups receive")
        boards = False
        while missing := wanted - self._in:
            for group in missing:
                await self._layer.group_add(group, self._channel)
                self._in.add(group)
                boards |= group.startswith("board.")
        if boards and self._sent:
            self._gap()  # a board that is read only now may have changed before it was listened for
        for group in self._in - wanted:
            await self._layer.group_discard(group, self._channel)
            self._in.discard(group)
        metrics.GROUPS.set(len(self._in))
        if not self._sent:
            # Last: Redis subscribes in order, so a probe that arrives proves that the groups before it do.
            await self._layer.group_add(self._probes, self._channel)

    async def probe(self) -> None:
        """Raises Silent when none has come back for too long."""
        if time.monotonic() - self._heard_at > SILENCE_SECONDS:
            raise Silent
        self._sent += 1
        await self._layer.group_send(self._probes, {"type": "live.probe", "number": self._sent})

    async def _receive(self) -> None:
        while True:
            try:
                message = await self._layer.receive(self._channel)
                if message["type"] == "live.probe":
                    self._probed(message["number"])
                else:
                    self._received(message)
            except Exception as error:
                # Anything that can reach Redis may have sent it, in any format.
                log.warning("live_group_message_unreadable", error=repr(error)[:200])

    def _probed(self, number: int) -> None:
        before, self.last = self.last, number
        self._heard_at = time.monotonic()
        if not before or number != before + 1:
            self._gap()

    async def end(self) -> None:
        """Leaves everything, and gives up the connection."""
        metrics.GROUPS.set(0)
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._layer.flush()
        except Exception as error:
            log.info("live_groups_not_left", error=str(error) or type(error).__name__)
        finally:
            if self._receiving is not None:
                self._receiving.cancel()
