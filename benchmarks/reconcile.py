"""Reconciling a board of a million beside 100 writes a second: time, memory, writes lost, what the writes feel of it.

    python -m benchmarks.reconcile [--users 1000000] [--rate 100] [--seconds 20] [--no-memory]

In a database and under Redis keys of its own, which are gone at the end; on embedded servers unless DATABASE_URL and
REDIS_URL point at others. What counts are the ratios: to the writes with nothing beside them, and of the memory at a
tenth and a hundredth of the players. Exits with 1 if a write was lost.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import uuid
from typing import Any

import redis

from benchmarks import reconcile_people as people

Measured = dict[str, Any]


class Site:
    """Processes on the benchmark's database and keys."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url, self.prefix = url, prefix
        self.environment = {
            **os.environ,
            "DATABASE_URL": url,
            "REDIS_KEY_PREFIX": prefix,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": "benchmark-" + "0123456789abcdef" * 3,
            "LOG_LEVEL": "ERROR",
        }
        self.redis: Any = redis.Redis.from_url(os.environ["REDIS_URL"])
        self.lost = 0

    def key(self, name: str) -> str:
        return f"{self.prefix}lb:{{global}}:{name}"

    def lose(self) -> None:
        """A Redis that was flushed."""
        self.redis.unlink(*(self.key(name) for name in ("rank", "player", "profile", "meta", "lock")))

    def run(self, *arguments: str) -> str:
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    def step(self, *arguments: str) -> Measured:
        return dict(json.loads(self.run("-m", "benchmarks.reconcile_step", *arguments)))

    def beside_writes(self, rate: float, *step: str, seconds: float = 0.0) -> Measured:
        """The step (or so many seconds of nothing) while others write; with their latencies, and what was lost."""
        before = people.points(self.url)
        writers = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.reconcile_writers", str(rate), "8"],
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert writers.stdout is not None
        writers.stdout.readline()
        time.sleep(max(1.0, seconds))
        measured = self.step(*step) if step else {}
        told = json.loads(writers.communicate(timeout=60)[0])
        assert writers.returncode == 0
        # In SQL: every write that was confirmed. In Redis, by the sweep that beat runs every 10 s: no more than what a
        # slow Redis did not take at once. And after it no player is wrong, found without repairing anything.
        missing = told["written"] - (people.points(self.url) - before)
        late = self.step("sweep")["repaired"]
        lost = abs(missing) + max(0, late - int(told["failed"])) + self.step("check")["drift"]
        self.lost += lost
        return {**measured, "latencies": sorted(told["latencies"]), "late": late, "lost": lost}


def quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def say(name: str, measured: Measured, alone: Measured | None = None) -> None:
    late = measured["latencies"]
    p50, p99 = quantile(late, 0.5), quantile(late, 0.99)
    line = f"{name:34}"
    if "seconds" in measured:
        line += f"{measured['seconds']:7.1f} s  RSS {measured['rss']:5.0f} MB (idle {measured['idle']:.0f})"
        line += f"  repaired {measured['repaired']:>8}"
    line += f"  {len(late):>6} writes, {measured['lost']} lost, {measured['late']} swept"
    line += f", p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    if alone:
        line += f" ({p50 / quantile(alone['latencies'], 0.5):.2f} x, {p99 / quantile(alone['latencies'], 0.99):.2f} x)"
    print(line, flush=True)


def beside(site: Site, chosen: argparse.Namespace) -> None:
    """Every kind of work beside the writes."""
    alone = site.beside_writes(chosen.rate, seconds=chosen.seconds)
    say("writes alone", alone)
    say("rebuild of a lost board", site.beside_writes(chosen.rate, "rebuild"), alone)
    say("--check, no drift", site.beside_writes(chosen.rate, "check"), alone)
    people.spoil(site.redis, site.key("player"), 0, 100)
    say("repair, 1 % stale", site.beside_writes(chosen.rate, "repair"), alone)
    people.spoil(site.redis, site.key("player"), 0, 1)
    say("repair, 100 % stale", site.beside_writes(chosen.rate, "repair"), alone)
    people.spoil(site.redis, site.key("player"), 999_999, 1)
    site.redis.hset(site.key("meta"), "swept", "another-cluster/5:1")
    say("sweep after a backup, 100 % ahead", site.beside_writes(chosen.rate, "sweep"), alone)
    say("writes alone, once more", site.beside_writes(chosen.rate, seconds=chosen.seconds), alone)


def memory(site: Site, users: int) -> float:
    """The highest that Python allocated while every single player was repaired, in MB."""
    people.spoil(site.redis, site.key("player"), 0, 1)
    measured = site.step("repair", "trace")
    print(
        f"{users:>9} players, all stale: {measured['traced']:6.1f} MB allocated, RSS {measured['rss']:.0f} MB",
        flush=True,
    )
    return float(measured["traced"])


def measure(site: Site, chosen: argparse.Namespace) -> None:
    site.run("manage.py", "migrate", "--verbosity", "0")
    have, sizes = 0, [chosen.users] if chosen.no_memory else [chosen.users // 100, chosen.users // 10, chosen.users]
    highest = []
    for users in sizes:
        people.populate(site.url, have, users)
        have = users
        print(f"{users} players; rebuilt with nothing beside in {site.step('rebuild')['seconds']:.1f} s", flush=True)
        if users == chosen.users:
            beside(site, chosen)
        if not chosen.no_memory:
            highest.append(memory(site, users))
    if highest:
        print("memory, as a ratio to the smallest board: " + ", ".join(f"{used / highest[0]:.2f}" for used in highest))
    print(f"writes lost: {site.lost}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=100.0, help="writes a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of writes with nothing beside them")
    parser.add_argument("--no-memory", action="store_true", help="leave out the slow runs that trace allocations")
    chosen = parser.parse_args()
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        again = [sys.executable, "-m", "benchmarks.reconcile", *sys.argv[1:]]
        return subprocess.call([sys.executable, "-m", "devsite.servers", "exec", "--", *again])
    name = f"bench-{uuid.uuid4().hex[:8]}"
    with people.database(os.environ["DATABASE_URL"], name) as url:
        site = Site(url, f"{name}:")
        try:
            measure(site, chosen)
        finally:
            site.lose()
    return 1 if site.lost else 0


if __name__ == "__main__":
    sys.exit(main())
