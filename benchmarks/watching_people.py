"""Simulated honest players: human timing, sessions, a daily rhythm, from casual to very keen.

Everything comes from the random generator that is handed in, so that a seed gives the same people.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log
from random import Random

from integrity.findings import Event, Rule

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
RULES = {
    "TASK": Rule(points=10, spacing=0),  # a click and its answer
    "QUIZ": Rule(points=20, spacing=45),  # with a cooldown
    "MATCH": Rule(points=100_000, spacing=120),  # takes two minutes at least; a back end awards 50, or what it likes
}
POINTS = {"TASK": 10, "QUIZ": 20, "MATCH": 50}
MAX_PER_HOUR = 100  # of one type: the site's own limit, which simulated people and bots meet alike


@dataclass(frozen=True, slots=True)
class Habit:
    """How one kind of person plays. Medians are lognormal medians; spreads are sigmas of the logarithm."""

    name: str
    share: float  # of all players
    active: float  # of all days
    sessions: float  # a day, on average
    session_minutes: float
    gap: float  # seconds between the end of one action and the start of the next
    gap_spread: float
    mix: tuple[float, float, float] = (6, 2, 2)  # weights of TASK, QUIZ, MATCH
    reaction: float = 2.5  # seconds, to the end of a cooldown
    distracted: float = 0.03  # of all gaps are a minute or several
    awake: tuple[float, float] = (8, 25)  # hours of the day
    offline: bool = False  # collects actions and hands them in when the session ends


HABITS = (
    Habit("casual", 0.55, 0.5, 1.2, 12, 25, 0.8),
    Habit("regular", 0.25, 0.8, 2, 30, 18, 0.65),
    Habit("keen", 0.10, 0.95, 3, 70, 10, 0.5),
    Habit("very keen, plays to win", 0.03, 1.0, 4, 130, 6, 0.4, (6, 3, 3), reaction=1.0, distracted=0.02),
    Habit("all day and half the night", 0.01, 1.0, 8, 130, 15, 0.6, awake=(7, 26)),
    Habit("account shared by two", 0.01, 1.0, 6, 50, 15, 0.6, awake=(5.5, 26.5)),
    Habit("steady worker, one type only", 0.01, 0.9, 2, 90, 20, 0.3, (1, 0, 0), distracted=0.02),
    Habit("waits for cooldowns", 0.02, 0.9, 2, 90, 4, 0.4, (0, 1, 0), reaction=0.7, distracted=0.01),
    Habit("fast clicker", 0.01, 0.9, 3, 20, 4, 0.35, (1, 0, 0)),
    Habit("collects offline", 0.01, 0.7, 2, 40, 20, 0.7, offline=True),
)


class Clock:
    """Draws times for one person, whose own pace differs from the kind's."""

    def __init__(self, random: Random, habit: Habit) -> None:
        self.random, self.habit = random, habit
        self.gap = self.around(habit.gap, 0.25)
        self.spread = habit.gap_spread * random.uniform(0.85, 1.15)
        self.reaction = self.around(habit.reaction, 0.25)

    def around(self, median: float, spread: float) -> float:
        return exp(self.random.gauss(log(median), spread))

    def pause(self) -> float:
        """Seconds until the next action begins."""
        if self.random.random() < self.habit.distracted:
            return self.around(90, 0.8)
        return self.around(self.gap, self.spread)

    def duration(self, action_type: str) -> float:
        """Seconds from the token to the redemption."""
        if action_type == "MATCH":
            return RULES["MATCH"].spacing + self.around(60, 0.7)
        return self.around(6, 0.5) if action_type == "QUIZ" else self.around(0.3, 0.5)

    def sessions(self, day: int) -> list[tuple[float, float]]:
        """(start, end) of the sessions of a day, most of them in the evening, one after the other."""
        habit, random = self.habit, self.random
        if random.random() > habit.active:
            return []
        first, last = habit.awake
        count = 1 + sum(random.random() < (habit.sessions - 1) / 8 for _ in range(8))
        starts = sorted(first + (last - first) * random.betavariate(2, 1.4) for _ in range(count))
        found, free = list[tuple[float, float]](), 0.0
        for hour in starts:
            start = max(day * DAY + hour * HOUR, free)
            end = min(start + self.around(habit.session_minutes, 0.5) * MINUTE, day * DAY + last * HOUR)
            if end > start:
                found.append((start, end))
                free = end + 5 * MINUTE
        return found


class Quota:
    """The site's hourly limit of each type, as a moving window."""

    def __init__(self) -> None:
        self.issued: dict[str, list[float]] = {name: [] for name in RULES}

    def take(self, action_type: str, now: float) -> bool:
        used = self.issued[action_type]
        while used and used[0] <= now - HOUR:
            used.pop(0)
        if len(used) >= MAX_PER_HOUR:
            return False
        used.append(now)
        return True


def week(random: Random, habit: Habit, days: int = 7) -> list[Event]:
    """What one such person does in so many days, in order of redemption."""
    clock, quota = Clock(random, habit), Quota()
    events = [
        event
        for day in range(days)
        for start, end in clock.sessions(day)
        for event in session(clock, quota, start, end)
    ]
    return numbered(events)


def session(clock: Clock, quota: Quota, start: float, end: float) -> Iterator[Event]:
    now, last_quiz = start, -DAY
    while now < end:
        [action_type] = clock.random.choices(list(RULES), clock.habit.mix)
        issued = now
        if action_type == "QUIZ" and issued < last_quiz + RULES["QUIZ"].spacing:
            issued = last_quiz + RULES["QUIZ"].spacing + clock.around(clock.reaction, 0.6)
        if not quota.take(action_type, issued):
            now += clock.around(300, 0.7)
            continue
        if action_type == "QUIZ":
            last_quiz = issued
        done = issued + clock.duration(action_type)
        yield event(action_type, issued, end if clock.habit.offline else done)
        now = done + clock.pause()


def event(action_type: str, issued: float, redeemed: float, points: int | None = None) -> Event:
    not_before = issued + (RULES["MATCH"].spacing if action_type == "MATCH" else 0)
    return Event(0, action_type, points or POINTS[action_type], issued, not_before, redeemed)


def numbered(events: list[Event]) -> list[Event]:
    """In order of redemption, with history ids."""
    events.sort(key=lambda e: e.redeemed)
    return [
        Event(number, e.action_type, e.points, e.issued, e.not_before, e.redeemed)
        for number, e in enumerate(events, start=1)
    ]
