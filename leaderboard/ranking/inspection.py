"""What Redis holds of each player, for reconcile to judge; and the compare-and-set repairs of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leaderboard import boards, ranking
from leaderboard.boards import Board, Ties
from leaderboard.ranking import calls
from leaderboard.ranking.members import member, profile
from leaderboard.ranking.retry import slices
from scoreboard.standing import Standing

SCAN_COUNT = 1000
KNOWN = re.compile(r"([0-9]{1,19}):(.*)", re.DOTALL)  # what write.lua writes of a player entry


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
    """What the board holds of each of these. Raises Unavailable."""
    ids = [raw(user_id) for user_id in user_ids]
    flat: list[Any] = ranking.run(calls.call("entries", board, ids, list)) if ids else []
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
    right = member(board, standing), profile(standing)
    return None if (entry.member, entry.profile) == right else "stale"


def player_ids(board: Board) -> Iterator[list[str]]:
    """Ids with a player entry, in batches that are not empty; some perhaps twice while Redis resizes the hash (SCAN's
    guarantee). Raises Unavailable.

    A line of the ranking, or a profile, beside these entries makes the sizes of the keys differ: such a board is lost.
    """
    cursor = -1
    while cursor != 0:
        cursor, found = ranking.command("hscan", boards.keys(board).player, max(cursor, 0), count=SCAN_COUNT)
        if found:
            yield [text(user_id) for user_id in found]


def replace(board: Board, pairs: Sequence[tuple[Standing, Entry]]) -> list[bool]:
    """Puts each standing in the place of its entry, if that is still what the board holds; returns which were put."""
    applied: list[bool] = []
    for few in slices(pairs):
        applied += ranking.write(board, [s for s, _ in few], guards=[guard(entry) for _, entry in few]).applied
    return applied


def forget(board: Board, wrong: Mapping[str, Entry]) -> None:
    """Removes players whom SQL does not have, if their entries are still what the board holds."""
    for few in slices(list(wrong.items())):
        ranking.run(calls.write(board, [[raw(user_id), "0", "0", "", "", guard(entry)] for user_id, entry in few]))


def strays(board: Board, *, remove: bool) -> Iterator[str]:
    """Totals that count for ranks though no player has them. Raises Unavailable."""
    last: str | None = "-inf"
    while last is not None and board.ties == Ties.DENSE:
        last, found = ranking.run(calls.strays(board, last, SCAN_COUNT, remove))
        yield from found


def guard(entry: Entry) -> bytes:
    """Compare-and-set, see write.lua."""
    return raw(f"={entry.known or ''}")
