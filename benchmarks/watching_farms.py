"""Simulated addresses: who shares one honestly, and farms of accounts."""

from collections.abc import Callable, Mapping, Sequence
from random import Random

from integrity.findings import Account

# What is drawn from: the week's totals of simulated honest players.
Totals = Sequence[int]
Address = Callable[[Random, Totals], list[int]]


def joined(random: Random, totals: Totals) -> int:
    """The total of a player who signed up some time in the last week."""
    return round(random.choice(totals) * random.uniform(0.1, 1.0))


def household(random: Random, totals: Totals) -> list[int]:
    [size] = random.choices([1, 2, 3, 4, 5, 6], [35, 30, 18, 11, 4, 2])
    return [joined(random, totals) for _ in range(size)]


def school_class(random: Random, totals: Totals) -> list[int]:
    """15 to 29 who sign up in one lesson and play for as many days."""
    days = random.uniform(0.15, 1.0)
    return [round(random.choice(totals) * days) for _ in range(random.randint(15, 29))]


def office(random: Random, totals: Totals) -> list[int]:
    """An office, a dormitory, a library: 5 to 29 new players of one week."""
    return [joined(random, totals) for _ in range(random.randint(5, 29))]


def carrier(random: Random, totals: Totals) -> list[int]:
    """A carrier's shared address: 30 to 100 new players of one week."""
    return [joined(random, totals) for _ in range(random.randint(30, 100))]


def copies(random: Random, totals: Totals) -> list[int]:
    """5 to 40 accounts, the same script behind each."""
    usual = random.randint(100, 5000)
    return [round(usual * random.uniform(0.85, 1.15)) for _ in range(random.randint(5, 40))]


def copies_among_people(random: Random, totals: Totals) -> list[int]:
    """The same behind an address that 1 to 10 honest new players share."""
    return copies(random, totals) + [joined(random, totals) for _ in range(random.randint(1, 10))]


def varied(random: Random, totals: Totals) -> list[int]:
    """5 to 40 accounts, each made to do a different amount."""
    return [round(500 * random.lognormvariate(0, 0.9)) for _ in range(random.randint(5, 40))]


HONEST: Mapping[str, Address] = {
    "household of 1 to 6": household,
    "school class of 15 to 29": school_class,
    "office of 5 to 29": office,
    "carrier's address, 30 to 100": carrier,
}
FARMS: Mapping[str, Address] = {
    "5 to 40 copies": copies,
    "the same among 1 to 10 honest players": copies_among_people,
    "5 to 40 accounts with varied totals": varied,
}


def accounts(totals: Sequence[int]) -> list[Account]:
    """Those that scored, as the watch sees them."""
    return [Account(number, total) for number, total in enumerate(totals) if total > 0]
