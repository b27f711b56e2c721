"""Simulated cheaters: each plays one day its own way. Bots meet the site's limits like everyone."""

from collections.abc import Callable, Mapping
from math import exp, log
from random import Random

from benchmarks.watching_people import DAY, HABITS, HOUR, MINUTE, Quota, event, numbered, week
from integrity.findings import Event

Cheat = Callable[[Random], list[Event]]


def latency(random: Random) -> float:
    """What a network adds, in seconds."""
    return exp(random.gauss(log(0.08), 0.6))


def bot(random: Random, interval: float, jitter: Callable[[], float], hours: float) -> list[Event]:
    """Acts every `interval` seconds times `jitter()`, for so many hours."""
    quota, events = Quota(), list[Event]()
    now = random.uniform(0, 24 - hours) * HOUR
    end = now + hours * HOUR
    while now < end:
        if quota.take("TASK", now):
            issued = now + latency(random)
            events.append(event("TASK", issued, issued + latency(random)))
        now += interval * jitter()
    return numbered(events)


def fixed_interval(random: Random) -> list[Event]:
    return bot(random, random.uniform(5, 120), lambda: 1.0, random.uniform(3, 24))


def small_jitter(random: Random) -> list[Event]:
    """± 10 to 20 percent."""
    width = random.uniform(0.10, 0.20)
    return bot(random, random.uniform(10, 120), lambda: random.uniform(1 - width, 1 + width), random.uniform(3, 24))


def medium_jitter(random: Random) -> list[Event]:
    """± 25 to 40 percent."""
    width = random.uniform(0.25, 0.40)
    return bot(random, random.uniform(10, 120), lambda: random.uniform(1 - width, 1 + width), random.uniform(3, 12))


def large_jitter_day_and_night(random: Random) -> list[Event]:
    """± 50 to 90 percent, but it never sleeps."""
    width = random.uniform(0.5, 0.9)
    return bot(random, random.uniform(36, 300), lambda: random.uniform(1 - width, 1 + width), 24)


def large_jitter_by_day(random: Random) -> list[Event]:
    """± 50 to 90 percent, 4 to 12 hours: inside everything a person might do."""
    width = random.uniform(0.5, 0.9)
    return bot(random, random.uniform(36, 300), lambda: random.uniform(1 - width, 1 + width), random.uniform(4, 12))


def bursts(random: Random) -> list[Event]:
    """A few times a day, dozens of actions in less than a minute."""
    events = list[Event]()
    for _ in range(random.randint(1, 5)):
        start, seconds = random.uniform(0, DAY), random.uniform(5, 50)
        for _ in range(random.randint(25, 100)):
            issued = start + random.uniform(0, seconds)
            events.append(event("TASK", issued, issued + latency(random)))
    return numbered(events)


def instant_redeemer(random: Random) -> list[Event]:
    """Waits out what takes others minutes, with human pauses in between and a good night's sleep."""
    now, events = 9 * HOUR, list[Event]()
    while now < 23 * HOUR and len(events) < random.randint(25, 120):
        done = now + 2 * MINUTE + 0.05 + latency(random)
        events.append(event("MATCH", now, done))
        now = done + exp(random.gauss(log(40), 0.9))
    return numbered(events)


def inflated_points(random: Random) -> list[Event]:
    """A tampered game whose back end believes what it reports: a keen player's timing, points no other player has."""
    played: list[Event] = []
    while not any(e.action_type == "MATCH" for e in played):
        played = week(random, HABITS[2], days=1)
    return numbered(
        [
            event(e.action_type, e.issued, e.redeemed, random.randint(20_000, 100_000))
            if e.action_type == "MATCH"
            else e
            for e in played
        ]
    )


def mimic(random: Random) -> list[Event]:
    """A bot that copies a keen player's timing, sleep included."""
    return week(random, HABITS[2], days=1)


CHEATS: Mapping[str, Cheat] = {
    "fixed interval, 3 to 24 hours": fixed_interval,
    "jitter ± 10 to 20 %, 3 to 24 hours": small_jitter,
    "jitter ± 25 to 40 %, 3 to 12 hours": medium_jitter,
    "jitter ± 50 to 90 %, day and night": large_jitter_day_and_night,
    "jitter ± 50 to 90 %, 4 to 12 hours": large_jitter_by_day,
    "bursts": bursts,
    "instant redeemer": instant_redeemer,
    "inflated points": inflated_points,
    "perfect mimic of a keen player": mimic,
}
