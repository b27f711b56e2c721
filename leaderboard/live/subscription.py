"""The process's one subscription to the boards' announcements."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from leaderboard import boards
from leaderboard.live import metrics

log = structlog.get_logger(__name__)

SILENCE_SECONDS = 3.0  # then Redis is asked whether it is still there; after another such time it is not
RETRY_SECONDS = (0.1, 0.5)  # jitter: many processes must not come back to a restarted Redis in step


class Silent(Exception):
    """Redis did not answer a PING in time: a connection can die without either side being told."""


class Subscription:
    """Calls `announced(board, epoch, seq)` for each announcement, `renewed()` whenever some may have been missed."""

    def __init__(self, redis: Redis, announced: Callable[[str, str, int], None], renewed: Callable[[], None]) -> None:
        self.redis = redis
        self.announced = announced
        self.renewed = renewed
        self._lost = False

    async def run(self) -> None:
        """Subscribes, again after every failure, for as long as the process lives."""
        while True:
            try:
                async with self.redis.pubsub() as pubsub:
                    await pubsub.subscribe(boards.channel())
                    await self._listen(pubsub)
            except (RedisError, OSError, Silent) as error:
                if not self._lost:
                    log.warning("live_subscription_lost", error=str(error) or type(error).__name__)
                self._lost = True
            await asyncio.sleep(random.uniform(*RETRY_SECONDS))  # noqa: S311

    async def _listen(self, pubsub: Any) -> None:
        asked = False
        while True:
            message = await pubsub.get_message(timeout=SILENCE_SECONDS)
            if message is None:
                if asked:
                    raise Silent
                asked = True
                await pubsub.ping()
                continue
            asked = False
            if message["type"] == "message":
                self._announcement(message["data"])
            elif message["type"] == "subscribe":
                # Only now: what was announced before this moment is in what is read after it.
                metrics.SUBSCRIPTIONS.inc()
                self._lost = False
                self.renewed()

    def _announcement(self, data: bytes) -> None:
        try:
            said = json.loads(data)
            board, epoch, seq = str(said["board"]), str(said["epoch"]), int(said["seq"])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            log.warning("live_announcement_unreadable", data=data[:200])
            return
        self.announced(board, epoch, seq)
