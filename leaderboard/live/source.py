"""What the hub reads from Redis, asynchronously; the scripts and the meaning of their answers are `ranking`'s."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from leaderboard import boards, ranking
from leaderboard.boards import Board
from leaderboard.ranking import Lost, Page, Unavailable

PLAYERS_PER_CALL = 500  # a script holds Redis up while it runs: this many take about a millisecond


@dataclass(frozen=True, slots=True)
class Place:
    """One player's own line. Both None: the board knows the player but does not show them."""

    score: int | None
    rank: int | None


class Source:
    """One client of Redis for the whole process."""

    def __init__(self) -> None:
        self.redis: Redis = Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=settings.REDIS_TIMEOUT,
            socket_connect_timeout=settings.REDIS_TIMEOUT,
            # Once more at once: a connection that a restart of Redis cut is only noticed by using it.
            retry=Retry(NoBackoff(), 1),
        )
        self._adopt = self.redis.register_script(ranking.lua("adopt"))
        self._top = self.redis.register_script(ranking.lua("top"))

    async def top(self, board: Board) -> Page:
        """The visible top. Raises Unavailable, Lost."""
        try:
            reply = await self._top(keys=boards.keys(board).all(), args=[0, boards.VISIBLE_TOP])
        except (RedisError, OSError) as error:
            raise Unavailable(str(error)) from error
        return ranking.page(board, reply, 0)

    async def adopt(self, board: Board, gone_back: str = "") -> bool:
        """Sees to it that seq never goes back within an epoch; see lua/adopt.lua. Raises Unavailable.

        `gone_back`: an epoch in which it was seen doing so. Returns whether the board has a new epoch now.
        """
        try:
            server: dict[str, Any] = await self.redis.info("server")
            epoch, now = secrets.token_hex(8), f"{time.time():.3f}"
            arguments = [server["run_id"], epoch, now, boards.channel(), board.slug, gone_back]
            return bool(await self._adopt(keys=boards.keys(board).all(), args=arguments))
        except (RedisError, OSError) as error:
            raise Unavailable(str(error)) from error

    async def places(self, board: Board, user_ids: Sequence[str]) -> tuple[int, list[Place]]:
        """(players on the board, each player's place), in one round trip. Raises Unavailable, Lost."""
        script, keys = ranking.lua("places"), boards.keys(board).all()
        pipeline = self.redis.pipeline(transaction=False)
        for start in range(0, len(user_ids), PLAYERS_PER_CALL):
            # EVAL, not EVALSHA: beside the ids the script's text is nothing, and NOSCRIPT cannot happen.
            pipeline.eval(script, len(keys), *keys, *user_ids[start : start + PLAYERS_PER_CALL])
        try:
            replies: list[list[Any]] = await pipeline.execute()
        except (RedisError, OSError) as error:
            raise Unavailable(str(error)) from error
        if not all(replies):
            raise Lost(board.slug)
        flat = [value for reply in replies for value in reply[1:]]
        return replies[-1][0], [place(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]

    async def close(self) -> None:
        await self.redis.aclose()


def place(total: bytes, rank: int | None) -> Place:
    """From the script's pair: a total and a rank from 0; "" and nil for a player who is not shown."""
    return Place(int(float(total)) if total else None, None if rank is None else rank + 1)
