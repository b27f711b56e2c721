"""How regular a player's intervals are. People vary; timers do not."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from integrity.findings import Event, Rule

PAUSE = 1800.0  # seconds without an action end a run
# Where the server itself spaces actions (a cooldown), only what comes on top is the player's own. No one keeps that
# within this many seconds for a whole run, however eagerly they watch the countdown.
STEADY_HAND = 0.1


@dataclass(frozen=True, slots=True)
class Steady:
    """A stretch of a run whose intervals hardly differ. All in seconds; `allowed` is what `deviation` stayed below."""

    events: tuple[Event, ...]
    mean: float
    deviation: float
    allowed: float


def moments(events: Iterable[Event]) -> list[Event]:
    """One event for each moment of redemption: a batch is one moment."""
    distinct = list[Event]()
    for event in events:
        if not distinct or event.redeemed > distinct[-1].redeemed:
            distinct.append(event)
    return distinct


def runs(events: Iterable[Event]) -> Iterator[list[Event]]:
    """The moments, cut where the player paused."""
    run = list[Event]()
    for event in moments(events):
        if run and event.redeemed - run[-1].redeemed > PAUSE:
            yield run
            run = []
        run.append(event)
    if run:
        yield run


def steadiest(run: Sequence[Event], rules: Mapping[str, Rule], length: int, cv: float) -> Steady | None:
    """The part of the run covered by windows of `length` intervals that vary less than `cv` times their mean.

    None when there is no such window. The figures are those of the steadiest window.
    """
    if len(run) <= length:
        return None
    spacings = [spacing(before, after, rules) for before, after in pairwise(run)]
    redeemed = Window([after.redeemed - before.redeemed for before, after in pairwise(run)], spacings, length)
    issued = Window([after.issued - before.issued for before, after in pairwise(run)], spacings, length)
    best, covered = None, set[int]()
    for start in range(len(run) - length):
        mean, deviation, allowed = redeemed.judge(start, cv)
        _, issued_deviation, issued_allowed = issued.judge(start, cv)
        if deviation <= allowed and issued_deviation <= issued_allowed:
            covered.update(range(start, start + length + 1))
            best = min(best or (deviation, mean, allowed), (deviation, mean, allowed))
    if best is None:
        return None
    deviation, mean, allowed = best
    return Steady(tuple(run[position] for position in sorted(covered)), mean, deviation, allowed)


def spacing(before: Event, after: Event, rules: Mapping[str, Rule]) -> float:
    """What the server put between these two."""
    if before.action_type != after.action_type or after.action_type not in rules:
        return 0.0
    return rules[after.action_type].spacing


class Window:
    """Mean and deviation of any `length` consecutive intervals, by prefix sums of what exceeds the spacing."""

    def __init__(self, intervals: Sequence[float], spacings: Sequence[float], length: int) -> None:
        own = [interval - spaced for interval, spaced in zip(intervals, spacings, strict=True)]
        self.length = length
        self.intervals = [0.0, *accumulate(intervals)]
        self.own = [0.0, *accumulate(own)]
        self.squares = [0.0, *accumulate(value * value for value in own)]
        self.spaced = [0.0, *accumulate(spacings)]

    def judge(self, start: int, cv: float) -> tuple[float, float, float]:
        """(mean interval, deviation of the player's own part, what it may be at most to be called regular)."""
        end = start + self.length
        own = (self.own[end] - self.own[start]) / self.length
        variance = (self.squares[end] - self.squares[start]) / self.length - own * own
        # A little above 0: of a perfect timer rounding leaves a deviation of its own.
        allowed = max(cv * own, STEADY_HAND if self.spaced[end] > self.spaced[start] else 1e-6)
        mean = (self.intervals[end] - self.intervals[start]) / self.length
        return mean, max(variance, 0.0) ** 0.5, allowed
