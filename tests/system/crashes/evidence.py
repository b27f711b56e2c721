"""What PostgreSQL and Redis hold, read past all of the site's code, and where the two disagree."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from tests.system.crashes.checker import Entry
from tests.system.crashes.site import Site

LEDGER = """
SELECT h.id, coalesce(u.external_id, u.id::text) AS player, h.action_id, h.delta, h.old_total, h.new_total, h.created_at
  FROM score_history h JOIN users u ON u.id = h.user_id
 WHERE coalesce(u.external_id, u.id::text) = ANY (%s) ORDER BY h.id
"""
TOTALS = """
SELECT coalesce(u.external_id, u.id::text) AS player, s.total
  FROM user_scores s JOIN users u ON u.id = s.user_id WHERE coalesce(u.external_id, u.id::text) = ANY (%s)
"""
AWARDS = "SELECT action_id, external_id FROM awards"
SHOWN = """
SELECT s.user_id::text, s.total, s.reached_at, s.version, coalesce(nullif(u.display_name, ''), u.username),
       nullif(u.avatar_url, '')
  FROM user_scores s JOIN users u ON u.id = s.user_id
 WHERE s.total > 0 AND u.is_active AND NOT u.is_hidden
 ORDER BY s.total DESC, s.reached_at, s.user_id DESC
"""
LAST = 2**63 - 1
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """One player as a board shows them."""

    user_id: str
    total: int
    reached_at: datetime
    version: int
    username: str
    avatar: str | None

    @property
    def member(self) -> str:
        """As docs/architecture.md, Ties, says."""
        return f"{LAST - (self.reached_at - BEGINNING) // timedelta(microseconds=1):016x}{self.user_id}"


@dataclass(frozen=True, slots=True)
class Dump:
    """The board's keys: members with totals from the top, and what is known of each player."""

    epoch: str | None
    ranked: list[tuple[str, int]]
    known: dict[str, str]
    profiles: dict[str, Any]


def ledger(site: Site, players: list[str]) -> tuple[list[Entry], dict[str, int]]:
    """(the rows of these players, their totals)."""
    with site.database() as session:
        rows: Any = session.execute(LEDGER, [players]).fetchall()
        totals = session.execute(TOTALS, [players]).fetchall()
        awards: Any = session.execute(AWARDS).fetchall()
    deeds = dict(awards)
    deeds |= {uuid.uuid5(action, "reversed"): taken_back(deed) for action, deed in awards}
    return [
        Entry(number, player, deeds.get(action, str(action)), *figures) for number, player, action, *figures in rows
    ], dict(cast(Any, totals))


def taken_back(deed: str) -> str:
    """What the row that takes a deed back is called."""
    return f"{deed} taken back"


def truth(site: Site) -> list[Line]:
    with site.database() as session:
        return [Line(*cast(Any, row)) for row in session.execute(SHOWN).fetchall()]


def dump(site: Site) -> Dump:
    with site.redis_client() as client:
        redis: Any = client
        key = "lb:{global}:"
        return Dump(
            epoch=(redis.hget(f"{key}meta", "epoch") or b"").decode() or None,
            ranked=[
                (member.decode(), int(total)) for member, total in redis.zrevrange(f"{key}rank", 0, -1, withscores=True)
            ],
            known={field.decode(): value.decode() for field, value in redis.hgetall(f"{key}player").items()},
            profiles={field.decode(): json.loads(value) for field, value in redis.hgetall(f"{key}profile").items()},
        )


def disagreements(lines: list[Line], board: Dump) -> list[str]:
    """Where the board is not what SQL says: order, totals, profiles, versions."""
    found = []
    if board.epoch is None:
        found.append("Redis has no board")
    if [(line.member, line.total) for line in lines] != board.ranked:
        ranked = dict(board.ranked)
        wrong = [line.username for line in lines if ranked.get(line.member) != line.total]
        found.append(f"order or totals differ: {len(lines)} players, {len(board.ranked)} ranked, wrong for {wrong}")
    if {line.user_id: {"username": line.username, "avatar": line.avatar} for line in lines} != board.profiles:
        found.append("profiles differ")
    shown = {user_id: known for user_id, known in board.known.items() if known.partition(":")[2]}
    if {line.user_id: f"{line.version}:{line.member}" for line in lines} != shown:
        found.append("versions differ")
    return found
