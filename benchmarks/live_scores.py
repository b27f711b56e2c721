"""A thousand viewers while scores come through the API and PostgreSQL, as in production: `web` writes, `live` pushes.

    python -m benchmarks.live_scores [--viewers 1000] [--rate 100] [--seconds 60]

Every second award is the leader's, whose new total each push shows. So every viewer's latency is known for each:
from the ledger's clock, which is read just before the commit, to the first snapshot with that total. A push waits for
up to half a second after the one before; that is part of it. Needs DATABASE_URL and REDIS_URL, into which it writes.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from bisect import bisect_left

import uvloop

from benchmarks import rest  # first: it sets Django up
from benchmarks.client import content_length, render
from benchmarks.live_viewers import Viewers
from scoreboard import ledger
from scoreboard.models import ScoreHistory

LIVE_PORT = 8379
CONNECTIONS = 16
LEAD = 1_000_000  # points before the rest


class BackEnd:
    """Awards points through the API at a steady rate, whatever the answers take; `answered` by status."""

    def __init__(self, players: rest.Players, key: str) -> None:
        self.players, self.key = players, key
        self.calls: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.latencies: list[float] = []
        self.answered: dict[int, int] = {}

    async def award(self, rate: float, seconds: float) -> None:
        workers = [asyncio.create_task(self.connection()) for _ in range(CONNECTIONS)]
        began, sent = time.monotonic(), 0
        while (elapsed := time.monotonic() - began) < seconds:
            while sent < elapsed * rate:
                user_id, _ = self.players[0 if sent % 2 else sent // 2 % len(self.players)]
                told = {"id": uuid.uuid4().hex, "user_id": user_id, "action_type": "WIN_MATCH"}
                call = render("POST", "/api/v1/awards", json.dumps(told).encode(), Authorization=self.key)
                self.calls.put_nowait(call)
                sent += 1
            await asyncio.sleep(0.002)
        for _ in workers:
            self.calls.put_nowait(None)
        await asyncio.gather(*workers)

    async def connection(self) -> None:
        reader, writer = await asyncio.open_connection(rest.HOST, rest.PORT)
        while (call := await self.calls.get()) is not None:
            began = time.monotonic()
            writer.write(call)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(content_length(head))
            self.latencies.append(time.monotonic() - began)
            status = int(head[9:12])
            self.answered[status] = self.answered.get(status, 0) + 1
        writer.close()


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def committed(user_id: str, after: int) -> list[tuple[int, float]]:
    """(total, Unix time) of each of the leader's awards after this total."""
    rows = ScoreHistory.objects.filter(user_id=user_id, new_total__gt=after).order_by("id")
    return [(total, at.timestamp()) for total, at in rows.values_list("new_total", "created_at")]


def latencies(viewers: Viewers, awards: list[tuple[int, float]]) -> list[float]:
    """Seconds from each award's commit to each viewer's first snapshot that has it."""
    clock = time.time() - time.monotonic()
    pushed = sorted((score, seq) for seq, score in viewers.leaders.items())
    scores = [score for score, _ in pushed]
    found: list[float] = []
    for total, at in awards:
        place = bisect_left(scores, total)
        if place < len(pushed):
            found += [arrival + clock - at for arrival in viewers.arrivals[pushed[place][1]]]
    return found


async def measure(count: int, rate: float, seconds: float, players: rest.Players, key: str) -> None:
    viewers = Viewers()
    await viewers.come(LIVE_PORT, count)
    back_end = BackEnd(players, key)
    await back_end.award(1, 3)  # the first push is behind everyone
    await asyncio.sleep(2)
    first, before = max(viewers.arrivals), max(viewers.leaders.values())
    for seq in [seq for seq in viewers.arrivals if seq <= first]:
        del viewers.arrivals[seq]
    back_end.latencies.clear()
    back_end.answered.clear()
    await back_end.award(rate, seconds)
    await asyncio.sleep(2)
    awards = await asyncio.to_thread(committed, players[0][0], before)
    await viewers.until_all_have(max(viewers.arrivals))
    missed = sum(count - len(times) for times in viewers.arrivals.values())
    spans = [max(times) - min(times) for times in viewers.arrivals.values()]
    seen = latencies(viewers, awards)
    print(
        f"{count} viewers, {sum(back_end.answered.values())} awards in {seconds:.0f} s: {back_end.answered}; answer "
        f"p50 {quantile(back_end.latencies, 0.5):.0f} ms, p99 {quantile(back_end.latencies, 0.99):.0f} ms\n"
        f"commit to viewer, of {len(seen)}: p50 {quantile(seen, 0.5):.0f} ms, p99 {quantile(seen, 0.99):.0f} ms\n"
        f"{len(spans)} pushes, from the first viewer to the last {statistics.median(spans) * 1000:.0f} ms, at worst "
        f"{max(spans) * 1000:.0f} ms; {missed} deliveries skipped, {count - len(viewers.viewers)} viewers dropped; "
        f"load {os.getloadavg()[0]:.1f}"
    )
    await viewers.go()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--viewers", type=int, default=1000)
    options.add_argument("--rate", type=float, default=100, help="awards a second")
    options.add_argument("--seconds", type=float, default=60)
    chosen = options.parse_args()
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], check=True)
    players, key = rest.make_players()
    leader = uuid.UUID(players[0][0])
    ledger.announce(
        [
            one.standing
            for one in ledger.record([ledger.Entry(leader, uuid.uuid4(), ScoreHistory.Source.ADJUSTMENT, LEAD)])
        ]
    )
    web, _ = rest.SERVERS["web"]
    live = [f"python -m config.server --host {rest.HOST} --port {LIVE_PORT}"]
    with rest.processes(web, rest.PORT, "/readyz"), rest.processes(live, LIVE_PORT, "/healthz"):
        uvloop.run(measure(chosen.viewers, chosen.rate, chosen.seconds, players, key))


if __name__ == "__main__":
    main()
