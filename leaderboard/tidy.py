"""The keys of boards that are gone: of periods that were closed, or whose rule was changed, paused or deleted.

Each period has another number, so no board ever reads them again; they would stay until Redis is full.
"""

import re

from django.conf import settings

from leaderboard import ranking
from scoreboard.periods import still_open

STEP = 1000  # keys that Redis looks at in one go
PERIOD = re.compile(r"\{period-(\d{1,18})\}:")


def tidy() -> int:
    """Removes them, and returns how many keys that were. Raises ranking.Unavailable when Redis is away.

    SQL is asked after Redis: what has keys was committed before it got them, so that the number of a period that was
    just made is known.
    """
    prefix = re.sub(r"([*?\[\]\\^])", r"\\\1", settings.REDIS_KEY_PREFIX)
    cursor, removed = -1, 0
    while cursor != 0:
        cursor, found = ranking.command("scan", max(cursor, 0), match=f"{prefix}lb:{{period-*}}:*", count=STEP)
        periods = {key: int(match[1]) for key in found if (match := PERIOD.search(key.decode(errors="replace")))}
        if gone := set(periods.values()).difference(still_open(list(periods.values()))):
            removed += ranking.command("unlink", *(key for key, period in periods.items() if period in gone))
    return removed
