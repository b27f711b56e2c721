"""The boards in Redis, from the live side's event loop."""

import secrets
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from api.timing import on_redis
from leaderboard import boards
from leaderboard.boards import Board
from leaderboard.ranking import calls
from leaderboard.ranking.calls import Call, Page, Place, T
from leaderboard.ranking.retry import Unavailable, misses

PLAYERS_PER_CALL = 500  # a script holds Redis up while it runs: this many take about a millisecond


class AsyncRanking:
    """One client of Redis for the whole process. Every method raises Unavailable when Redis cannot answer."""

    def __init__(self) -> None:
        self.redis: Redis = Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=settings.REDIS_TIMEOUT,
            socket_connect_timeout=settings.REDIS_TIMEOUT,
            # Once more at once: a connection that a restart of Redis cut is only noticed by using it.
            retry=Retry(NoBackoff(), 1),
            **settings.REDIS_TLS,
        )
        self._scripts: dict[str, Any] = {}

    async def run(self, call: Call[T]) -> T:
        """Calls one script; raises what the call says."""
        script = self._scripts.get(call.script)
        if script is None:
            script = self._scripts[call.script] = self.redis.register_script(calls.lua(call.script))
        try:
            with on_redis(call.script):
                reply = await script(keys=call.keys, args=call.arguments)
        except (RedisError, OSError) as error:
            misses.add()
            raise Unavailable(str(error)) from error
        return call.meaning(reply)

    async def top(self, board: Board) -> Page:
        """The visible top. Raises Lost."""
        return await self.run(calls.top(board, boards.VISIBLE_TOP, 0))

    async def adopt(self, board: Board, gone_back: str = "") -> bool:
        """See `calls.adopt`."""
        try:
            server: dict[str, Any] = await self.redis.info("server")
        except (RedisError, OSError) as error:
            misses.add()
            raise Unavailable(str(error)) from error
        return await self.run(calls.adopt(board, server["run_id"], secrets.token_hex(8), gone_back))

    async def places(self, board: Board, user_ids: Sequence[str]) -> tuple[int, list[Place]]:
        """(players on the board, each of these players' place). Raises Lost."""
        players, found = 0, []
        for start in range(0, len(user_ids), PLAYERS_PER_CALL):
            players, some = await self.run(calls.places(board, user_ids[start : start + PLAYERS_PER_CALL]))
            found += some
        return players, found

    async def close(self) -> None:
        await self.redis.aclose()
