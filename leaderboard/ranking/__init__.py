"""Every Redis command on a board's keys. The order is PostgreSQL's: `total DESC, reached_at, user_id DESC`.

Here is what synchronous code calls; `asynchronous` is the same for the live side. `calls` says, without I/O, what each
script is given and what its reply means, `members` how a player is stored. `inspection` is reconcile's.

Every function raises Unavailable when Redis cannot answer; Lost means that it answers but no longer has the board. Both
mean "serve from SQL".
"""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from redis.exceptions import NoScriptError

from api.redis_client import connection
from api.timing import on_redis
from leaderboard import boards
from leaderboard.boards import Board
from leaderboard.ranking import calls
from leaderboard.ranking.calls import (
    Behind,
    Call,
    LateCorrection,
    Lost,
    Page,
    Place,
    Row,
    Superseded,
    Surveyed,
    T,
    Written,
)
from leaderboard.ranking.retry import Unavailable, ask, retrying, slices
from scoreboard.standing import Standing

__all__ = [
    "Behind",
    "Call",
    "LateCorrection",
    "Lost",
    "Page",
    "Place",
    "Row",
    "Superseded",
    "Unavailable",
    "Written",
    "retrying",
    "slices",
]

LOCK_SECONDS = 10  # renewed with every chunk, which takes well under a second; a builder that dies frees the board


@cache
def script(name: str) -> Any:
    """A registered script: EVALSHA, loaded on the first NOSCRIPT."""
    return connection().register_script(calls.lua(name))


def run(call: Call[T]) -> T:
    """Calls one script; raises what the call says."""
    with on_redis(call.script):
        reply = ask(lambda: script(call.script)(keys=call.keys, args=call.arguments, client=connection()))
    return call.meaning(reply)


def run_all(asked: Sequence[Call[T]]) -> list[T | Lost]:
    """Calls a script of several boards in one round trip. Of a board that is lost the answer is that it is."""
    if not asked:
        return []
    with on_redis(asked[0].script):
        replies = ask(lambda: pipelined(asked))
    answers: list[T | Lost] = []
    for call, reply in zip(asked, replies, strict=True):
        try:
            answers.append(call.meaning(reply))
        except Lost as lost:
            answers.append(lost)
    return answers


def pipelined(asked: Sequence[Call[Any]]) -> list[Any]:
    """The replies, in order. Raises what redis-py raises."""
    pipe = connection().pipeline(transaction=False)
    for call in asked:
        pipe.evalsha(script(call.script).sha, len(call.keys), *call.keys, *call.arguments)
    return [again(call, reply) for call, reply in zip(asked, pipe.execute(raise_on_error=False), strict=True)]


def again(call: Call[Any], reply: Any) -> Any:
    """The reply; of a Redis that did not know the script yet, the one it gives now."""
    if isinstance(reply, NoScriptError):
        return script(call.script)(keys=call.keys, args=call.arguments, client=connection())
    if isinstance(reply, Exception):
        raise reply
    return reply


def command(name: str, *arguments: Any, **options: Any) -> Any:
    """One plain command."""
    with on_redis(name):
        return ask(lambda: getattr(connection(), name)(*arguments, **options))


# --- reading ----------------------------------------------------------------------------------------


def top(board: Board, limit: int, offset: int = 0) -> Page:
    """Ranks offset+1 … offset+limit. Raises Lost."""
    return run(calls.top(board, limit, offset))


def around(board: Board, user_id: uuid.UUID, radius: int, *, at_least: int = 0) -> Page:
    """The player with up to `radius` neighbours on each side; no rows if the player has no rank.

    `at_least`: a version of the player that the caller knows to exist. Raises Lost, Behind.
    """
    return run(calls.around(board, user_id, radius, at_least))


def places(board: Board, user_ids: Sequence[uuid.UUID]) -> list[Place]:
    """The place of each of these. Raises Lost, Unavailable."""
    return run(calls.places(board, [str(user_id) for user_id in user_ids]))[1]


def epoch(board: Board) -> str | None:
    """The board's epoch; None when the board is lost."""
    return run(calls.epoch(board))


def meta(board: Board, *fields: str) -> list[str | None]:
    """Fields of the board's meta hash."""
    return [None if v is None else calls.text(v) for v in command("hmget", boards.keys(board).meta, list(fields))]


# --- writing ----------------------------------------------------------------------------------------


def write_all(changed: Mapping[Board, Sequence[Standing]]) -> list[Written | Lost]:
    """As `write`, of several boards in one round trip; in their order, of a lost one that it is."""
    return run_all([calls.write_standings(board, standings) for board, standings in changed.items()])


def write(board: Board, standings: Sequence[Standing], *, builder: str = "", guards: Sequence[bytes] = ()) -> Written:
    """Applies standings that are newer than what the board knows and returns the ranks.

    `builder`: the token of the rebuild this write belongs to. `guards`: see write.lua; one for each standing.
    Raises Lost, Superseded.
    """
    pairs = zip(standings, guards or [b""] * len(standings), strict=True)
    return run(calls.write(board, [calls.player_arguments(board, *pair) for pair in pairs], builder))


def adopt(board: Board, gone_back: str = "") -> str | None:
    """Gives the board a new epoch if Redis was restarted, or replaced by its replica, since it was last looked at.

    Such a Redis may lack its last seconds, and viewers must not take what follows for old news. `gone_back`: an epoch
    in which the board is known to lack something. Returns the new epoch.
    """
    new = secrets.token_hex(8)
    return new if run(calls.adopt(board, run_id(), new, gone_back)) else None


def mark_swept(board: Board, epoch: str, mark: str, at: float) -> None:
    """Moves the sweep's watermark, taken at this Unix time, unless the board that had this epoch was lost meanwhile."""
    run(calls.call("mark_swept", board, [epoch, mark, at], bool))


def survey(asked: Sequence[Board]) -> list[Surveyed | Lost]:
    """How each board is, for the sweep; in one round trip."""
    return run_all([calls.survey(board) for board in asked])


def run_id() -> str:
    """Which start of which Redis server answers."""
    return str(command("info", "server")["run_id"])


# --- building ---------------------------------------------------------------------------------------


def begin_build(board: Board, token: str) -> bool:
    """Empties a lost board and lets writes in; False when it is not lost."""
    return run(calls.call("begin_build", board, [token], bool))


def finish_build(board: Board, token: str, mark: str, at: float) -> str | None:
    """Opens the board under a new epoch, which is returned; None when another builder took over.

    `mark`: the sweep's watermark from before the first read, taken `at` this Unix time.
    """
    new = secrets.token_hex(8)
    arguments = [*calls.announcing(board), run_id(), new, token, mark, at]
    return new if run(calls.call("finish_build", board, arguments, bool)) else None


def acquire_lock(board: Board, token: str) -> bool:
    """Takes the board's rebuild lock (SET NX EX)."""
    return bool(command("set", boards.keys(board).lock, token, nx=True, ex=LOCK_SECONDS))


def renew_lock(board: Board) -> None:
    """Extends the lock. If it was lost meanwhile, the next write is refused as superseded, so no check is needed."""
    command("expire", boards.keys(board).lock, LOCK_SECONDS)


def release_lock(board: Board, token: str) -> None:
    """Releases the lock if it is still this builder's."""
    run(Call("release_lock", [boards.keys(board).lock], [token], bool))
