"""What Redis holds of each player, for reconcile to judge; and the compare-and-set repairs of it."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leaderboard import boards, ranking
from leaderboard.boards import Board
from scoreboard.signals import Standing

SCAN_COUNT = 1000
KNOWN = re.compile(r"([0-9]+):(.*)", re.DOTALL)  # what write.lua reads of a player entry


@dataclass(frozen=True, slots=True)
class Entry:
    """One player in Redis. `known`: "<version>:<member>" or None. `total`: in the ranking, or None.

    Anybody may have written anything by hand, so text that is not UTF-8 is kept as surrogates, and a total need be
    neither whole nor finite.
    """

    known: str | None
    total: float | None
    profile: str | None

    @property
    def version(self) -> int:
        """-1 when the board has never heard of the player, or not in words the write script understands."""
        found = KNOWN.fullmatch(self.known or "")
        return int(found[1]) if found else -1

    @property
    def member(self) -> str:
        found = KNOWN.fullmatch(self.known or "")
        return found[2] if found else ""


def text(stored: bytes) -> str:
    """Text as Redis holds it; bytes that are not UTF-8 survive the way back through `raw`."""
    return stored.decode("utf-8", "surrogateescape")


def raw(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def entries(board: Board, user_ids: Sequence[str]) -> list[Entry]:
    """What the board holds of each of these. Raises ranking.Unavailable."""
    flat = ranking.run("entries", boards.keys(board).all(), [raw(user_id) for user_id in user_ids]) if user_ids else []
    return [
        Entry(
            known=text(flat[i]) if flat[i] is not None else None,
            total=float(flat[i + 1]) if flat[i + 1] is not None else None,
            profile=text(flat[i + 2]) if flat[i + 2] is not None else None,
        )
        for i in range(0, len(flat), 3)
    ]


def differs(board: Board, standing: Standing, entry: Entry) -> str | None:
    """How an entry of the standing's own version is wrong: missing, ahead, stale or extra; None if it is right."""
    if not board.shows(standing):
        return "extra" if entry.member or entry.profile is not None else None
    if entry.total is None:
        return "missing"
    if entry.total != standing.total:
        return "ahead" if entry.total > standing.total else "stale"
    right = ranking.member(standing.reached_at, standing.user_id), ranking.profile(standing)
    return None if (entry.member, entry.profile) == right else "stale"


def player_ids(board: Board) -> Iterator[str]:
    """Ids with a player or a profile entry, some perhaps twice (SCAN's guarantee). Raises ranking.Unavailable."""
    names = boards.keys(board)
    for key in (names.player, names.profile):
        cursor = -1
        while cursor != 0:
            cursor, found = ranking.command("hscan", key, max(cursor, 0), count=SCAN_COUNT)
            yield from (text(user_id) for user_id in found)


def orphans(board: Board) -> Iterator[bytes]:
    """Members of the ranking that no player entry points to, at the moment each was looked at."""
    names = boards.keys(board)
    cursor = -1
    while cursor != 0:
        cursor, found = ranking.command("zscan", names.rank, max(cursor, 0), count=SCAN_COUNT)
        members = [member for member, _ in found]
        owners = [member[ranking.MEMBER_TIME_DIGITS :] for member in members]
        known = ranking.command("hmget", names.player, owners) if owners else []
        for member, entry in zip(members, known, strict=True):
            if entry is None or entry.partition(b":")[2] != member:
                yield member


def replace(board: Board, standing: Standing, entry: Entry) -> None:
    """Puts the standing in the place of `entry`, if that is still what the board holds."""
    ranking.write(board, [standing], guards=[raw(f"={entry.known or ''}")])


def forget(board: Board, user_id: str, entry: Entry) -> None:
    """Removes a player whom SQL does not have, if `entry` is still what the board holds."""
    header = [boards.VISIBLE_TOP, boards.channel(), board.slug, f"{time.time():.3f}", ""]
    arguments = [*header, raw(user_id), "0", "0", "", "", raw(f"={entry.known or ''}")]
    ranking.run("write", boards.keys(board).all(), arguments)


def remove_orphan(board: Board, member: bytes) -> bool:
    """Removes the member if it is still an orphan; returns whether it was."""
    arguments = [member, boards.VISIBLE_TOP, boards.channel(), board.slug, f"{time.time():.3f}"]
    return bool(ranking.run("remove_orphan", boards.keys(board).all(), arguments))
