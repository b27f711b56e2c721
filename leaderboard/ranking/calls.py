"""The scripts in `lua/`: what each is given, and what its reply means. No I/O of its own."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog

from api import tracing
from leaderboard import boards
from leaderboard.boards import Board, Ties
from leaderboard.ranking.members import Metadata, member, member_parts, profile
from leaderboard.ranking.retry import Unavailable
from scoreboard.standing import Standing

LUA = Path(__file__).parents[1] / "lua"
PRELUDE = "prelude"

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Lost(Exception):
    """Redis answers, but the board or a part of it is gone, or it is still being built."""


class Behind(Exception):
    """The board knows only an older version of the player than was asked for."""


class Superseded(Exception):
    """Another builder took the board over."""


@dataclass(frozen=True, slots=True)
class LateCorrection:
    """An entry of a closed period that was taken back, whole or in part, after its end: the final rank stays.

    `score`: what the entry gave there. `remaining`: what is left of it. `at`: when it was taken back last.
    """

    score: int
    remaining: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a board, as the API and the push show it."""

    rank: int
    user_id: str
    username: str
    score: int
    avatar: str | None
    reached_at: datetime
    metadata: Metadata | None = None  # of the best or the latest entry, where that is what the score is
    better: int | None = None  # how many players rank better, where the rank does not say
    late_corrections: tuple[LateCorrection, ...] = ()  # of a closed period


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines of one board at (epoch, seq). `epoch` and `seq` are None when SQL answered instead of Redis."""

    epoch: str | None
    seq: int | None
    updated: float
    players: int
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Place:
    """One player's own line. Both None: the board knows the player but does not show them."""

    score: int | None
    rank: int | None


@dataclass(frozen=True, slots=True)
class Written:
    """The write script's answer: ranks (from 1, None if not shown) in the order of the standings written."""

    epoch: str
    seq: int
    players: int
    applied: list[bool]
    ranks: list[int | None]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A board as the sweep finds it: its epoch, which start of Redis it was last seen on, and the sweep's watermark."""

    epoch: str
    run: str
    swept: str


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call of a board's script. `meaning` makes of the reply what the caller wants, and raises what it says."""

    script: str
    keys: list[str]
    arguments: list[Any]
    meaning: Callable[[Any], T]


@cache
def lua(name: str) -> str:
    """A script's text, the prelude before it."""
    return "\n".join((LUA / f"{part}.lua").read_text(encoding="utf-8") for part in (PRELUDE, name))


def call(script: str, board: Board, arguments: Sequence[Any], meaning: Callable[[Any], T]) -> Call[T]:
    return Call(script, boards.keys(board).all(), list(arguments), meaning)


def announcing(board: Board) -> list[Any]:
    """The first arguments of the scripts that announce a change."""
    return [board.name, boards.channel(board), f"{time.time():.3f}", tracing.current()]


@contextmanager
def ours(board: Board) -> Iterator[None]:
    """Raises Unavailable for lines that this site did not write: SQL serves until a reconcile has removed them."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        log.warning("foreign_line", board=board.name, error=repr(error)[:200])
        raise Unavailable(f"the ranking holds a line that is not ours: {error!r}") from error


def text(raw: bytes) -> str:
    """Of what other programs may have written, too."""
    return raw.decode(errors="replace")


# --- reading ----------------------------------------------------------------------------------------


def top(board: Board, limit: int, offset: int) -> Call[Page]:
    """Ranks offset+1 … offset+limit. Raises Lost, Unavailable."""
    return call("top", board, [offset, limit], lambda reply: page(board, reply, offset))


def around(board: Board, user_id: uuid.UUID, radius: int, at_least: int) -> Call[Page]:
    """The player with the neighbours. Raises Lost, Behind, Unavailable."""

    def meaning(reply: list[Any]) -> Page:
        if reply[:1] == [b"behind"]:
            raise Behind(str(user_id))
        first = reply.pop(4) if len(reply) > 4 else 0
        return page(board, reply, first)

    return call("around", board, [str(user_id), radius, at_least], meaning)


def places(board: Board, user_ids: Sequence[str]) -> Call[tuple[int, list[Place]]]:
    """(players on the board, the place of each of these). Raises Lost, Unavailable."""

    def meaning(reply: list[Any]) -> tuple[int, list[Place]]:
        if not reply:
            raise Lost(board.slug)
        players, *flat = reply
        with ours(board):
            return players, [place(board, flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]

    return call("places", board, user_ids, meaning)


def strays(board: Board, after: str, limit: int, remove: bool) -> Call[tuple[str | None, list[str]]]:
    """(the last of the totals that were looked at, those that no player has), of a board with dense ranks."""

    def meaning(reply: list[bytes | None]) -> tuple[str | None, list[str]]:
        last, *found = (text(total) if total is not None else None for total in reply)
        return last, [total for total in found if total is not None]

    return call("strays", board, [after, limit, int(remove)], meaning)


def epoch(board: Board) -> Call[str | None]:
    """The board's epoch; None when the board is lost."""
    return call("epoch", board, [], lambda reply: text(reply) if reply else None)


def page(board: Board, reply: list[Any], first: int) -> Page:
    """A Page from a script's reply; `first` is the place, from 0, of its first row. Raises Lost, Unavailable."""
    if not reply:
        raise Lost(board.slug)
    epoch, seq, updated, players, *flat = reply
    if not (board.shares_ranks and flat):
        return Page(text(epoch), seq, float(updated), players, rows(board, flat, first))
    rank, better, *flat = flat
    return Page(text(epoch), seq, float(updated), players, shared(board, rows(board, flat, first), rank, better))


def shared(board: Board, lines: Sequence[Row], rank: int, better: int) -> list[Row]:
    """The lines of consecutive places, with the ranks that equals share. `rank`: of the first, from 0; `better`: how
    many players are better than that one."""
    found: list[Row] = []
    for line in lines:
        if found and line.score != found[-1].score:
            rank, better = (rank + 1 if board.ties == Ties.DENSE else line.rank - 1), line.rank - 1
        found.append(replace(line, rank=rank + 1, better=better))
    return found


def rows(board: Board, flat: Sequence[bytes], first: int) -> list[Row]:
    """Rows from the scripts' flat member, total, profile triples; as their rank, their place. Raises Unavailable."""
    with ours(board):
        return [
            row(board, first + position // 3 + 1, *flat[position : position + 3]) for position in range(0, len(flat), 3)
        ]


def row(board: Board, rank: int, raw_member: bytes, total: bytes, raw_profile: bytes) -> Row:
    """One Row as the scripts send it; raises what int, json and indexing raise."""
    reached_at, user_id = member_parts(board, raw_member.decode())
    shown = json.loads(raw_profile)
    score, metadata = board.score(int(float(total))), shown.get("metadata")
    return Row(rank, user_id, shown["username"], score, shown["avatar"], reached_at, metadata)


def place(board: Board, total: bytes, rank: int | None) -> Place:
    """From the script's pair: a total and a rank from 0; "" and nil for a player who is not shown."""
    return Place(board.score(int(float(total))) if total else None, None if rank is None else rank + 1)


# --- writing ----------------------------------------------------------------------------------------


def write(board: Board, players: Sequence[Sequence[str | bytes]], builder: str = "") -> Call[Written]:
    """Applies what is newer; each of `players` as `player_arguments` makes it. Raises Lost, Superseded."""

    def meaning(reply: list[Any]) -> Written:
        if reply[0] == b"lost":
            raise Lost(board.slug)
        if reply[0] == b"superseded":
            raise Superseded(board.slug)
        _, epoch, seq, players, *results = reply
        return Written(
            epoch=text(epoch),
            seq=seq,
            players=players,
            applied=[bool(applied) for applied, _ in results],
            ranks=[None if rank is None else rank + 1 for _, rank in results],
        )

    flat = [argument for player in players for argument in player]
    return call("write", board, [*announcing(board), boards.VISIBLE_TOP, builder, *flat], meaning)


def write_standings(board: Board, standings: Sequence[Standing]) -> Call[Written]:
    return write(board, [player_arguments(board, standing) for standing in standings])


def survey(board: Board) -> Call[Surveyed]:
    """Raises Lost."""

    def meaning(reply: list[Any]) -> Surveyed:
        if not reply:
            raise Lost(board.slug)
        return Surveyed(*map(text, reply))

    return call("survey", board, [], meaning)


def player_arguments(board: Board, standing: Standing, guard: bytes = b"") -> list[str | bytes]:
    """The write script's arguments for one player; `guard`: see write.lua."""
    shown = board.shows(standing)
    return [
        str(standing.user_id),
        str(standing.version),
        str(standing.total),
        member(board, standing) if shown else "",
        profile(standing) if shown else "",
        guard,
    ]


def adopt(board: Board, run_id: str, new_epoch: str, gone_back: str = "") -> Call[bool]:
    """Sees to it that seq never goes back within an epoch. Returns whether the board has the new epoch now.

    `run_id`: which start of which Redis server answers. `gone_back`: an epoch in which seq was seen going back.
    """
    return call("adopt", board, [*announcing(board), run_id, new_epoch, gone_back], bool)
