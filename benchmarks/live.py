"""`make bench-live`: what pushing costs, against an event loop that does nothing but write.

One live process, no PostgreSQL, a Redis of its own. Two cores are enough: one for the server, one for the viewers.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import uvloop

from benchmarks.live_viewers import Viewers

PORT = 18_471
PUSHES = 20
INTERVAL = 0.5
NO_DATABASE = "postgres://nobody@127.0.0.1:9/nothing"
ROOT = Path(__file__).resolve().parents[1]


class Process:
    """A server under measurement."""

    def __init__(self, *command: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.PIPE, text=True
        )
        self.about = psutil.Process(self.process.pid)

    def cpu(self) -> float:
        """Seconds of CPU so far, to the nanosecond where the kernel tells."""
        try:
            tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
            return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
        except OSError:
            times = self.about.cpu_times()
            return float(times.user + times.system)

    def memory(self) -> int:
        return int(self.about.memory_info().rss)

    def metric(self, name: str) -> float:
        page = urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5).read().decode()
        return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(15)


async def up(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


class Board:
    """The board in the benchmark's Redis: a hundred players, of whom one scores."""

    def __init__(self) -> None:
        import django

        django.setup()
        from api import redis_client
        from leaderboard import boards, ranking
        from scoreboard.standing import Standing

        self.board, self.ranking, self.standing = boards.get("global"), ranking, Standing
        self.redis: Any = redis_client.connection()
        self.ids = [uuid.uuid4() for _ in range(100)]
        self.version = 0
        keys = boards.keys(self.board)
        counters = {"epoch": "bench", "seq": "1", "updated": "1.000", "known": "0", "shown": "0"}
        self.redis.hset(keys.meta, mapping=counters)
        for number in range(100):
            self.score(number, 1000 + number)

    def score(self, number: int = 0, total: int = 0) -> int:
        """A player's new total, as the projection writes it; returns the board's seq."""
        self.version += 1
        made = self.standing(
            self.ids[number], total or 10_000 + self.version, self.version, datetime.now(UTC), True,
            f"player-{number:03}", "", "",
        )  # fmt: skip
        return int(self.ranking.write(self.board, [made]).seq)

    def commands(self) -> int:
        stats = self.redis.info("commandstats")
        return sum(about["calls"] for name, about in stats.items() if name != "cmdstat_info")


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def deliveries(viewers: Viewers, sent: dict[int, float]) -> list[float]:
    return [when - sent[seq] for seq in sent for when in viewers.arrivals[seq]]


async def floor(count: int, size: int) -> tuple[float, float]:
    """(CPU seconds per delivery, p99 in seconds)."""
    process = Process("-m", "benchmarks.live_floor", str(PORT), str(size))
    assert process.process.stdin is not None
    try:
        await up(PORT)
        viewers = Viewers()
        await viewers.come(PORT, count)
        sent: dict[int, float] = {}
        before = process.cpu()
        for seq in range(1, PUSHES + 1):
            sent[seq] = time.monotonic()
            process.process.stdin.write(f"{seq}\n")
            process.process.stdin.flush()
            await viewers.until_all_have(seq)
        spent = process.cpu() - before
        return spent / (PUSHES * count), quantile(deliveries(viewers, sent), 0.99)
    finally:
        await viewers.go()
        process.end()


async def hub(process: Process, board: Board, count: int, row: dict[str, float]) -> None:
    """Adds to the row what `count` viewers cost."""
    viewers = Viewers()
    await asyncio.sleep(1.0)
    idle = process.memory()
    began, cpu = time.monotonic(), process.cpu()
    await viewers.come(PORT, count)
    await viewers.until_all_have(board.score())
    row["connect"] = (process.cpu() - cpu) / count
    row["connect_rate"] = count / (time.monotonic() - began)
    await asyncio.sleep(1.0)
    row["memory"] = (process.memory() - idle) / count
    encodes, pushes = process.metric("scoreboard_live_encodes_total"), process.metric("scoreboard_live_pushes_total")
    commands, since = board.commands(), time.monotonic()
    sent: dict[int, float] = {}
    cpu = process.cpu()
    for _ in range(PUSHES):
        now = time.monotonic()
        seq = board.score()
        sent[seq] = now
        await viewers.until_all_have(seq)
        await asyncio.sleep(max(0.0, now + INTERVAL + 0.05 - time.monotonic()))
    row["cpu"] = (process.cpu() - cpu) / (PUSHES * count)
    row["commands"] = (board.commands() - commands) / (time.monotonic() - since)
    row["p99"] = quantile(deliveries(viewers, sent), 0.99)
    row["encodes"] = (process.metric("scoreboard_live_encodes_total") - encodes) / (
        process.metric("scoreboard_live_pushes_total") - pushes
    )
    await viewers.go()


def with_a_redis_of_its_own() -> int:
    """Runs this again beside an embedded Redis; its exit code. PostgreSQL is set to where there is none."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": NO_DATABASE,
        "SECRET_KEY": "benchmark-" + "0123456789abcdef" * 3,
        "LOG_LEVEL": "ERROR",
    }
    environment.pop("REDIS_URL", None)
    embedded = [sys.executable, "-m", "devsite.servers", "exec", "--"]
    return subprocess.call(
        [*embedded, sys.executable, "-m", "benchmarks.live", *sys.argv[1:]], cwd=ROOT, env=environment
    )


async def measure(arguments: argparse.Namespace, board: Board) -> None:
    print(f"{'':>22}{'CPU per delivery':>24}{'p99 to a viewer':>22}{'memory':>10}{'Redis':>10}{'encodes':>10}")
    for count in arguments.viewers:
        row: dict[str, float] = {}
        process = Process("-m", "config.server", "--port", str(PORT))
        try:
            await up(PORT)
            await hub(process, board, count, row)
        finally:
            process.end()
        least, least_p99 = await floor(count, arguments.size)
        print(
            f"{count:>8} viewers, floor{least * 1e6:>21.1f} µs{least_p99 * 1000:>19.0f} ms\n"
            f"{'hub':>22}{row['cpu'] * 1e6:>13.1f} µs ({row['cpu'] / least:.1f} x){row['p99'] * 1000:>19.0f} ms"
            f"{row['memory'] / 1024:>7.1f} KB{row['commands']:>8.1f}/s{row['encodes']:>10.2f}"
            f"   connecting: {row['connect'] * 1e6:.0f} µs of CPU each, {row['connect_rate']:.0f}/s",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live")
    parser.add_argument("--viewers", type=int, nargs="*", default=[500, 2000, 5000])
    parser.add_argument("--size", type=int, default=1200, help="bytes of the floor's message")
    arguments = parser.parse_args()
    if os.environ.get("DATABASE_URL") != NO_DATABASE:
        sys.exit(with_a_redis_of_its_own())
    uvloop.run(measure(arguments, Board()))


if __name__ == "__main__":
    main()
