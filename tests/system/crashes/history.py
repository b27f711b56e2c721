"""What the clients of a running site did and were told, with times of one clock: the evidence of the checker."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

LOST = 0  # the status of a request that got no whole answer: whether it counted is unknown
FIRST, AGAIN, EITHER = 200, 409, 208  # acknowledged: now, before, or the answer does not tell


@dataclass(frozen=True, slots=True)
class Minted:
    """A token the site issued, or a deed a back end tells of; taking it back is another, of as many points less."""

    player: str
    action: str
    points: int


@dataclass(frozen=True, slots=True)
class Told:
    """What one request said about one action; a batch is as many of these, with the same times.

    `status` is HTTP's, in the terms of redeeming: an award's 201 is FIRST and its replay AGAIN; taking back is EITHER.
    `new_score` and `delta` come with a 200 and, as the original's, with a 409, which has `redeemed_at` too. `handed_in`
    is false for what the status URL of queued work told: nothing was handed in by asking.
    """

    player: str
    action: str
    invoked: float
    returned: float
    status: int
    new_score: int | None = None
    delta: int | None = None
    redeemed_at: str | None = None
    handed_in: bool = True

    @property
    def acknowledged(self) -> bool:
        """The client was told that the action counted."""
        return self.status in (FIRST, AGAIN, EITHER)

    @property
    def undecided(self) -> bool:
        """The action may have counted or may yet count."""
        return self.status in (LOST, 202) or self.status >= 500


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer to "what is my score?"."""

    player: str
    invoked: float
    returned: float
    score: int


class History:
    """Appended to by all clients at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.minted: list[Minted] = []
        self.told: list[Told] = []
        self.seen: list[Seen] = []
        self.unexpected: list[str] = []  # answers that no fault excuses

    def note(self, *events: Minted | Told | Seen | str) -> None:
        with self.lock:
            for event in events:
                match event:
                    case Minted():
                        self.minted.append(event)
                    case Told():
                        self.told.append(event)
                    case Seen():
                        self.seen.append(event)
                    case str():
                        self.unexpected.append(event)

    def acknowledged(self, *, but: str = "", of: str = "") -> int:
        """How many acknowledgements there were so far: of all players, of all `but` one, or only `of` one."""
        with self.lock:
            return sum(told.acknowledged for told in self.told if told.player != but and (not of or told.player == of))

    def answers(self, status: int) -> int:
        with self.lock:
            return sum(told.status == status for told in self.told)

    def counted_twice(self, kind: str = "") -> bool:
        """Whether of one action, whose id begins so, the answers to two requests said that it counted now."""
        with self.lock:
            first = {(told.action, told.invoked) for told in self.told if told.status == FIRST}
        answers = Counter(action for action, _ in first if action.startswith(kind))
        return any(times > 1 for times in answers.values())

    def highest(self, player: str) -> int:
        """The highest score that an acknowledgement told `player` so far."""
        with self.lock:
            return max((told.new_score or 0 for told in self.told if told.player == player), default=0)

    def shown(self, player: str, score: int, *, since: float) -> bool:
        """Whether a read that was begun after this moment showed `player` this score."""
        with self.lock:
            return any((seen.player, seen.score) == (player, score) and seen.invoked > since for seen in self.seen)

    def lines(self) -> Iterator[str]:
        with self.lock:
            events: list[Minted | Told | Seen] = [*self.minted, *self.told, *self.seen]
            for event in events:
                yield json.dumps({"what": type(event).__name__, **asdict(event)})

    def save(self, path: Path) -> None:
        """For a person who has to find out what went wrong."""
        path.write_text("\n".join(self.lines()))
