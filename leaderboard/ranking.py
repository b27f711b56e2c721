"""Every Redis command of the read side, synchronous. The order is PostgreSQL's: `total DESC, reached_at, user_id DESC`.

Raises Unavailable when Redis cannot answer and Lost when it answers but no longer has the board; both mean
"serve from SQL".
"""

import json
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from api.redis_client import connection
from leaderboard import boards
from leaderboard.boards import Board
from leaderboard.patience import Unavailable as Unavailable
from leaderboard.patience import ask
from scoreboard.standing import Standing

EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FAR_FUTURE = 2**63 - 1
MEMBER_TIME_DIGITS = 16
# seq and updated, as the scripts write and demand them: a board without is lost, whatever else is left of it.
COUNTERS = re.compile(r"[0-9]+:[0-9]+\.[0-9]+")

LUA = Path(__file__).parent / "lua"


log = structlog.get_logger(__name__)


class Lost(Exception):
    """Redis answers but the board is not there, or is still being built."""


class Behind(Exception):
    """The board knows only an older version of the player than was asked for."""


class Superseded(Exception):
    """Another builder took the board over."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a board, as the API and the push show it."""

    rank: int
    user_id: str
    username: str
    score: int
    avatar: str | None
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines of one board at (epoch, seq). `epoch` and `seq` are None when SQL answered instead of Redis."""

    epoch: str | None
    seq: int | None
    updated: float
    players: int
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Written:
    """The write script's answer: ranks (from 1, None if not shown) in the order of the standings written."""

    epoch: str
    seq: int
    players: int
    applied: list[bool]
    ranks: list[int | None]


@cache
def lua(name: str) -> str:
    return (LUA / f"{name}.lua").read_text()


@cache
def script(name: str) -> Any:
    """A registered script: EVALSHA, loaded on the first NOSCRIPT."""
    return connection().register_script(lua(name))


def run(name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
    """Calls one script; raises Unavailable."""
    return ask(lambda: script(name)(keys=keys, args=arguments, client=connection()))


def microseconds(moment: datetime) -> int:
    """Exact microseconds since 1970; float arithmetic would lose the last digits."""
    return (moment - EPOCH_START) // MICROSECOND


def member(reached_at: datetime, user_id: uuid.UUID) -> str:
    """The sorted set's member: time inverted, in fixed width, so that ZREVRANGE puts the earliest of equals first."""
    return f"{FAR_FUTURE - microseconds(reached_at):0{MEMBER_TIME_DIGITS}x}{user_id}"


def member_parts(raw: str) -> tuple[datetime, str]:
    """(reached_at, user id) of a member."""
    inverted, user_id = raw[:MEMBER_TIME_DIGITS], raw[MEMBER_TIME_DIGITS:]
    return EPOCH_START + (FAR_FUTURE - int(inverted, 16)) * MICROSECOND, user_id


def player_arguments(board: Board, standing: Standing, guard: bytes = b"") -> list[str | bytes]:
    """The script's arguments for one player."""
    shown = board.shows(standing)
    return [
        str(standing.user_id),
        str(standing.version),
        str(standing.total),
        member(standing.reached_at, standing.user_id) if shown else "",
        profile(standing) if shown else "",
        guard,
    ]


def profile(standing: Standing) -> str:
    """What a board shows of a player beside rank and score, as stored."""
    return json.dumps(
        {"username": standing.username, "avatar": standing.avatar_url or None},
        ensure_ascii=False,
        separators=(",", ":"),
    )


def write(board: Board, standings: Sequence[Standing], *, builder: str = "", guards: Sequence[bytes] = ()) -> Written:
    """Applies standings that are newer than what the board knows and returns the ranks.

    `builder`: the token of the rebuild this write belongs to. `guards`: see write.lua; one for each standing.
    Raises Unavailable, Lost, Superseded.
    """
    arguments: list[Any] = [boards.VISIBLE_TOP, boards.channel(), board.slug, f"{time.time():.3f}", builder]
    for position, standing in enumerate(standings):
        arguments += player_arguments(board, standing, guards[position] if guards else b"")
    reply = run("write", boards.keys(board).all(), arguments)
    if reply[0] == b"lost":
        raise Lost(board.slug)
    if reply[0] == b"superseded":
        raise Superseded(board.slug)
    _, epoch, seq, players, *results = reply
    return Written(
        epoch=epoch.decode(),
        seq=seq,
        players=players,
        applied=[bool(applied) for applied, _ in results],
        ranks=[None if rank is None else rank + 1 for _, rank in results],
    )


def top(board: Board, limit: int, offset: int = 0) -> Page:
    """Ranks offset+1 … offset+limit. Raises Unavailable, Lost."""
    return page(board, run("top", boards.keys(board).all(), [offset, limit]), offset)


def around(board: Board, user_id: uuid.UUID, radius: int, *, at_least: int = 0) -> Page:
    """The player with up to `radius` neighbours on each side; no rows if the player has no rank.

    `at_least`: a version of the player that the caller knows to exist. Raises Unavailable, Lost, Behind.
    """
    reply = run("around", boards.keys(board).all(), [str(user_id), radius, at_least])
    if reply[:1] == [b"behind"]:
        raise Behind(str(user_id))
    if len(reply) > 4:
        first = reply.pop(4)
        return page(board, reply, first)
    return page(board, reply, 0)


def page(board: Board, reply: list[Any], first: int) -> Page:
    """A Page from a script's reply; `first` is the rank, from 0, of its first row. Raises Unavailable, Lost."""
    if not reply:
        raise Lost(board.slug)
    epoch, seq, updated, players, *flat = reply
    return Page(
        epoch=epoch.decode(),
        seq=seq,
        updated=float(updated),
        players=players,
        rows=rows(flat, first),
    )


def rows(flat: Sequence[bytes], first: int) -> list[Row]:
    """Rows from the scripts' flat member, total, profile triples.

    Raises Unavailable for a line this site did not write: SQL serves until a reconcile has removed it.
    """
    try:
        return [row(first + position // 3 + 1, *flat[position : position + 3]) for position in range(0, len(flat), 3)]
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        log.warning("foreign_line", error=repr(error))
        raise Unavailable(f"the ranking holds a line that is not ours: {error!r}") from error


def row(rank: int, raw_member: bytes, total: bytes, raw_profile: bytes) -> Row:
    """One Row as the scripts send it; raises what int, json and indexing raise."""
    reached_at, user_id = member_parts(raw_member.decode())
    shown = json.loads(raw_profile)
    return Row(rank, user_id, shown["username"], int(float(total)), shown["avatar"], reached_at)


def epoch(board: Board) -> str | None:
    """The board's epoch; None when the board is lost. Raises Unavailable."""
    epoch, seq, updated = meta(board, "epoch", "seq", "updated")
    return epoch if COUNTERS.fullmatch(f"{seq}:{updated}") else None


def meta(board: Board, *fields: str) -> list[str | None]:
    """Fields of the board's meta hash; raises Unavailable."""
    return [
        None if v is None else v.decode(errors="replace")
        for v in command("hmget", boards.keys(board).meta, list(fields))
    ]


def run_id() -> str:
    """Which start of which Redis server answers; raises Unavailable."""
    return str(command("info", "server")["run_id"])


def command(name: str, *arguments: Any, **options: Any) -> Any:
    """One plain command; raises Unavailable."""
    return ask(lambda: getattr(connection(), name)(*arguments, **options))
