"""What Redis does when its memory is full: a policy that evicts deletes keys of boards and limits."""

from typing import Any

import structlog
from redis.exceptions import RedisError

from api.redis_client import breaker, connection

log = structlog.get_logger(__name__)


def advice() -> str | None:
    """What to set so that Redis evicts nothing, as a sentence; None if it evicts nothing, or does not tell.

    From INFO, which the boards need anyway (see `ranking.run_id`); many hosts of Redis forbid CONFIG GET.
    """
    if breaker.is_open:
        return None
    try:
        memory: Any = connection().info("memory")
    except RedisError:
        return None
    limit, policy = memory.get("maxmemory", 0), memory.get("maxmemory_policy", "noeviction")
    if not limit or policy == "noeviction":
        return None
    lost = "rate limits and other keys that expire"
    if policy.startswith("allkeys-"):
        lost = "keys of boards, which are then rebuilt, rate limits, and queued messages if Redis is the broker"
    return (
        f"Redis deletes keys when its memory is full (maxmemory {limit}, maxmemory-policy {policy}): {lost}. "
        "Set maxmemory-policy noeviction, and maxmemory high enough."
    )


def tell() -> None:
    """Logs the advice, if there is any."""
    if said := advice():
        log.warning("redis_evicts", advice=said)
