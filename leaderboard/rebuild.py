"""Rebuilding a lost board from SQL, under a lock, beside live writes.

From `begin_build` on, live writes go into the board being built. Whatever was committed before that is in what is read
afterwards; what is committed later is projected by the process that committed it, or swept. Nothing falls in between.
"""

import secrets
import threading
import time

import structlog
from django.db import InterfaceError, OperationalError
from django.db import connection as database

from leaderboard import ranking, truth
from leaderboard.boards import Board
from scoreboard import changes

log = structlog.get_logger(__name__)

_building = threading.Lock()


def rebuild(board: Board) -> bool:
    """Rebuilds the board if it is lost and no other process is at it. Returns whether this call rebuilt it.

    Raises ranking.Unavailable when Redis is away.
    """
    token = secrets.token_hex(8)
    if not ranking.acquire_lock(board, token):
        return False
    try:
        if not ranking.begin_build(board, token):
            return False
        at, mark = time.time(), changes.now()
        players = 0
        with ranking.retrying():
            for standings in truth.everyone(board):
                for few in ranking.slices(standings):
                    ranking.write(board, few, builder=token)
                players += len(standings)
                ranking.renew_lock(board)
        epoch = ranking.finish_build(board, token, str(mark), at)
        if epoch is None:
            return False
        log.info("board_rebuilt", board=board.slug, epoch=epoch, players=players)
        return True
    except ranking.Superseded:
        return False
    finally:
        release(board, token)


def rebuild_or_wait(board: Board, patience: float) -> bool:
    """Rebuilds the board, or waits up to `patience` seconds while another process does. Returns whether it is there.

    Raises ranking.Unavailable when Redis is away.
    """
    until = time.monotonic() + patience
    while not (rebuild(board) or ranking.epoch(board)):
        if time.monotonic() >= until:
            return False
        time.sleep(0.2)
    return True


def in_background(board: Board) -> None:
    """Starts a rebuild in a thread of this process, unless one is running. Never waits, never raises.

    Not a daemon thread: a command that ends while its rebuild runs waits for it rather than leave the board half built.
    """
    if _building.acquire(blocking=False):
        threading.Thread(target=_rebuild_once, args=(board,), name="rebuild").start()


def _rebuild_once(board: Board) -> None:
    try:
        rebuild(board)
    except ranking.Unavailable as error:
        log.warning("rebuild_postponed", board=board.slug, error=str(error))
    except (OperationalError, InterfaceError) as error:
        log.warning("rebuild_postponed", board=board.slug, error=str(error).strip())
    except Exception:
        log.exception("rebuild_failed", board=board.slug)
    finally:
        database.close()
        _building.release()


def release(board: Board, token: str) -> None:
    try:
        ranking.release_lock(board, token)
    except ranking.Unavailable as error:
        log.warning("rebuild_lock_left", board=board.slug, error=str(error))
