"""The limit per address for answers that are given before Django, counted without a round trip for each.

What is promised: what is answered here is added within TICK_SECONDS to the count that Django keeps exactly for all
processes (`api/throttles.py`). Until then a process gives an address at most 1/SHARE of what its window had left when
it was last told; of the whole limit for an address it has not been told about for a while. So a client whose requests
all come within one tick can exceed its limit by 1/SHARE of it for each process, and no other client can.
A client that has used up its part is Django's to count and to refuse.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from functools import lru_cache
from pathlib import Path

import structlog
from django.conf import settings
from limits import RateLimitItem
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api import throttles

log = structlog.get_logger(__name__)

LUA = Path(throttles.__file__).parent / "lua" / "charge.lua"
POLICY = "ip"
TICK_SECONDS = 0.25
SHARE = 8
ADDRESSES = 10_000  # remembered; the longest unheard of is forgotten first
ADDRESSES_PER_CALL = 200  # Redis serves no other client while a script runs


class AddressLimit:
    """`take` never waits; what it took is reported by a task that ends when there is nothing more to report."""

    def __init__(self, redis: Redis) -> None:
        self._charge_all = redis.register_script(LUA.read_text(encoding="utf-8"))
        self._left: OrderedDict[str, int] = OrderedDict()  # what each address may still be given before the next report
        self._taken: Counter[str] = Counter()
        self._reporting: asyncio.Task[None] | None = None
        self._key = lru_cache(maxsize=ADDRESSES)(key)  # making one costs more than taking

    def take(self, address: str) -> bool:
        """Whether a request of this address may be answered here."""
        item = throttles.parse(settings.LIMITS[POLICY])
        if item is None:
            return True
        left = self._left.get(address, item.amount // SHARE)
        if left <= 0:
            return False
        self._remember(address, left - 1)
        self._taken[address] += 1
        if self._reporting is None:
            self._reporting = asyncio.create_task(self._report())
        return True

    def _remember(self, address: str, left: int) -> None:
        self._left[address] = left
        self._left.move_to_end(address)
        if len(self._left) > ADDRESSES:
            self._left.popitem(last=False)

    async def _report(self) -> None:
        try:
            while self._taken:
                await asyncio.sleep(TICK_SECONDS)
                taken, self._taken = list(self._taken.items()), Counter()
                for start in range(0, len(taken), ADDRESSES_PER_CALL):
                    await self._charge(taken[start : start + ADDRESSES_PER_CALL])
        except (RedisError, OSError) as error:
            # Not counted. The board is not answered from here either while Redis is away (`snapshots.fresh`).
            log.warning("address_limit_not_charged", error=str(error))
        finally:
            self._reporting = None

    async def _charge(self, taken: list[tuple[str, int]]) -> None:
        item = throttles.parse(settings.LIMITS[POLICY])
        if item is None:
            return
        keys = [self._key(item, address) for address, _ in taken]
        arguments = [time.time(), item.get_expiry(), item.amount, *(count for _, count in taken)]
        left = await self._charge_all(keys=keys, args=arguments)
        for (address, _), uses in zip(taken, left, strict=True):
            self._remember(address, uses // SHARE)


def key(item: RateLimitItem, address: str) -> str:
    """Redis' key of the window in which all processes count this address."""
    return throttles.key(throttles.Charge(POLICY, item, (address,)))
