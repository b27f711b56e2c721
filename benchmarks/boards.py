"""What boards cost: those a score belongs to, those that only exist, and those that are watched.

    make bench-boards [ARGS="--boards 1000 --watched 100 --viewers 2000"]

A thousand boards of which no entry counts beside those of which each does; awards through the ledger by turns, so that
the ratios are of one run. Then one live process: idle and pushing, with all viewers on one board and spread over many.
Needs DATABASE_URL and REDIS_URL, into which it writes: an empty site of its own.
"""

import argparse
import asyncio
import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvloop
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection

from api import redis_client
from benchmarks import rest  # first: it sets Django up
from benchmarks.live import INTERVAL, PUSHES, Process, deliveries, quantile, up
from benchmarks.live_viewers import Viewers
from leaderboard import boards, projection, sweep
from scoreboard import ledger, periods
from scoreboard.ledger import Entry
from scoreboard.models import Board as Rule
from scoreboard.models import ScoreHistory

PLAYERS = 10_000
AWARDS = 400  # of one turn
TURNS = 5
KIND = "RACE"


def players() -> list[uuid.UUID]:
    user = get_user_model()
    made = [user(username=f"bench-{number}", email="", password="!") for number in range(PLAYERS)]
    return [one.pk for one in user.objects.bulk_create(made, batch_size=1000)]


def award(user: uuid.UUID, kind: str = KIND) -> None:
    """As an award: recorded, and projected to every board it belongs to."""
    score([Entry(user, uuid.uuid4(), ScoreHistory.Source.AWARD, delta=5, action_type=kind)])


def score(entries: list[Entry]) -> None:
    projection.project([outcome.standing for outcome in ledger.record(entries) if outcome.standing])


def make(number: int, *kinds: str, prefix: str) -> None:
    """Boards that are filled and known."""
    windows = ("weekly", "daily", "monthly", "all")
    for made in range(number):
        types = kinds or (f"{prefix}-{made}",)
        Rule.objects.create(slug=f"{prefix}-{made}", title="Board", window=windows[made % 4], action_types=list(types))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE board_periods SET filled_at = now() WHERE filled_at IS NULL")
    boards.refresh(at_once=True)
    sweep.sweep_all(boards.everyone())


def turn(crowd: list[uuid.UUID]) -> float:
    """Awards a second."""
    began = time.perf_counter()
    for number in range(AWARDS):
        award(crowd[number * 7919 % len(crowd)])
    return AWARDS / (time.perf_counter() - began)


def ledgers(crowd: list[uuid.UUID], exist: int) -> None:
    """The rate of awards with none, one, three and ten boards of their own, and with many that are not theirs."""
    rates: dict[str, list[float]] = {}
    for _ in range(TURNS):
        Rule.objects.all().delete()
        boards.refresh(at_once=True)
        for own in (0, 1, 3, 10):
            make(own - Rule.objects.count(), KIND, prefix=f"own{own}")
            rates.setdefault(f"{own} of its own", []).append(turn(crowd))
    Rule.objects.all().delete()
    make(exist, prefix="other")
    for _ in range(TURNS):
        rates.setdefault(f"0 of its own, {exist} others", []).append(turn(crowd))
        make(3, KIND, prefix="mine")
        rates.setdefault(f"3 of its own, {exist} others", []).append(turn(crowd))
        Rule.objects.filter(slug__startswith="mine").delete()
        boards.refresh(at_once=True)
    base = statistics.median(rates["0 of its own"])
    for name, some in rates.items():
        middle = statistics.median(some)
        print(f"{name:>32} {middle:>8.0f} awards/s ({min(some):.0f} to {max(some):.0f}), {middle / base:.2f} of none")


def memory(crowd: list[uuid.UUID]) -> None:
    """Bytes that one player on one board takes."""
    make(1, KIND, prefix="full")
    for start in range(0, len(crowd), 500):
        entries = [
            Entry(user, uuid.uuid4(), ScoreHistory.Source.AWARD, delta=5, action_type=KIND)
            for user in crowd[start : start + 500]
        ]
        score(entries)
    board, redis = boards.get("full-0"), cast(Any, redis_client.connection())
    taken = 0
    for key in boards.keys(board).all():
        taken += redis.memory_usage(key, samples=0) or 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM standings), pg_table_size('standings'), pg_indexes_size('standings')"
        )
        rows, table, indexes = cursor.fetchone()
    sizes = f"Redis {taken / len(crowd):.0f} bytes, SQL {table / rows:.0f}, its indexes {indexes / rows:.0f}"
    print(f"a player on a board: {sizes}")


@contextmanager
def live() -> Iterator[Process]:
    process = Process("-m", "config.server", "--port", str(rest.PORT))
    try:
        yield process
    finally:
        process.end()


async def watched(crowd: list[uuid.UUID], viewers: int, slugs: list[str], name: str) -> None:
    """One live process with its viewers spread over these boards; each push goes to the viewers of one."""
    with live() as process:
        await up(rest.PORT)
        await asyncio.sleep(3)
        crowds = {slug: Viewers() for slug in slugs}
        alone = process.memory()
        for slug, some in crowds.items():
            await some.come(rest.PORT, viewers // len(slugs), slug)
        await asyncio.sleep(5)
        rss = process.memory() - alone
        cpu, began = process.cpu(), time.monotonic()
        await asyncio.sleep(10)
        idle = (process.cpu() - cpu) / (time.monotonic() - began)
        sent, arrived, number, cpu = [], [], 0, process.cpu()
        for push in range(PUSHES):
            slug = slugs[push % len(slugs)]
            now, before = time.monotonic(), newest(crowds[slug])
            await asyncio.to_thread(award, crowd[0], slug if slug != "global" else KIND)
            seq = await next_seq(crowds[slug], before)
            sent.append(now)
            number += len(crowds[slug].viewers)
            arrived += deliveries(crowds[slug], {seq: now})
            await asyncio.sleep(max(0.0, now + INTERVAL + 0.05 - time.monotonic()))
        spent = process.cpu() - cpu - idle * (time.monotonic() - sent[0])
        print(
            f"{name:>32} {rss / 1e6:>7.1f} MB, idle {idle * 1000:>6.2f} ms of CPU a second, "
            f"{spent / PUSHES * 1000:>6.2f} ms a push, {spent / number * 1e6:>6.1f} µs a delivery, "
            f"p99 {quantile(arrived, 0.99) * 1000:.0f} ms"
        )
        for some in crowds.values():
            await some.go()


def newest(some: Viewers) -> int:
    """The seq of the newest push that one of them has."""
    return max(viewer.seq for viewer in some.viewers)


async def next_seq(some: Viewers, before: int) -> int:
    """Of the push after that, once every viewer has it."""
    while (seq := newest(some)) == before:
        await asyncio.sleep(0.002)
    await some.until_all_have(seq)
    return seq


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.boards")
    parser.add_argument("--boards", type=int, default=1000)
    parser.add_argument("--watched", type=int, default=100)
    parser.add_argument("--viewers", type=int, default=2000)
    arguments = parser.parse_args()
    call_command("migrate", verbosity=0)
    crowd = players()
    periods.keep()
    ledgers(crowd, arguments.boards)
    memory(crowd)
    every = [f"other-{number}" for number in range(arguments.watched)]
    for slugs in (["global"], every):
        name = f"{arguments.viewers} viewers of {len(slugs)}"
        uvloop.run(watched(crowd, arguments.viewers, slugs, name))


if __name__ == "__main__":
    main()
