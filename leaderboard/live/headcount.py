"""How many watch, over all processes: each says in Redis how many it has, for whoever asks."""

import os
import re
import socket
import time

import structlog
from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import RedisError

from leaderboard import ranking

log = structlog.get_logger(__name__)

SAY_SECONDS = 5.0
BELIEVED_SECONDS = 20.0  # a process that ended said nothing since
SAID = re.compile(rb"([0-9]{1,9}):([0-9]{1,12})")  # how many, and when, Unix seconds


def key() -> str:
    return f"{settings.REDIS_KEY_PREFIX}lb:viewers"


def me() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


async def say(redis: Redis, viewers: int) -> None:
    """One line of a hash that is gone a minute after the last process. Redis away: the next time tells."""
    try:
        async with redis.pipeline(transaction=False) as pipe:
            pipe.hset(key(), me(), f"{viewers}:{time.time():.0f}")
            pipe.expire(key(), 60)
            await pipe.execute()
    except (RedisError, OSError) as error:
        log.debug("headcount_not_said", error=str(error))


def viewers() -> int:
    """As of some seconds ago. Raises ranking.Unavailable."""
    now, total = time.time(), 0
    for line in ranking.command("hvals", key()):
        said = SAID.fullmatch(line)
        if said and now - int(said[2]) < BELIEVED_SECONDS:
            total += int(said[1])
    return total
