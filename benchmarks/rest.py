"""REST under load: reads of the visible top, mint, redeem, awards and batches, beside what others do on the same cores.

    python -m benchmarks.rest [--server web] [--requests 3000] [--connections 32] [--rounds 3]

Prints requests a second, p50, p99, the servers' CPU for each, and the ratio to a floor measured in the same round: for
reads a constant answer by the same server (both by wrk), for writes pgbench's own transaction of two tables over eight
connections. Needs DATABASE_URL, REDIS_URL (`make bench` sets them up) and wrk; it writes players and scores into that
database.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("SECRET_KEY", "benchmark-" + "0123456789abcdef" * 3)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.update(
    {f"LIMIT_{name}": "off" for name in ("IP", "USER", "SIGN_IN", "SIGN_IN_ACCOUNT", "SIGN_UP", "ACTIONS")},
    LOG_LEVEL="WARNING",
)

import django
import psutil

django.setup()

from accounts import api_keys, sign_in
from accounts.models import ApiKey, User
from actions import tokens
from benchmarks import client, floors
from benchmarks.client import Load, render
from scoreboard import ledger
from scoreboard.models import ScoreHistory

PORT, CONSTANT_PORT = 8377, 8378
HOST = "127.0.0.1"
PLAYERS = 200
BATCH = 50
AWARDS = (1, 50, 1000)  # in one call
CALLS = 16  # of a kind, at least
SQL_CONNECTIONS = 8

GRANIAN = "granian --interface wsgi {0} --workers 2 --blocking-threads 16 --no-ws --log-level warning --host 127.0.0.1"
UVICORN = "uvicorn benchmarks.constant:asgi --workers 2 --log-level warning --host 127.0.0.1"
# Name → the site's processes, and those of the same server that answer constantly.
SERVERS = {
    "web": ([f"{GRANIAN.format('config.wsgi:application')} --port {PORT}"],
            [f"{GRANIAN.format('benchmarks.constant:wsgi')} --port {CONSTANT_PORT}"]),
    "site": ([f"python -m config.server --host {HOST} --port {PORT} --shared"] * 2,
             [f"{UVICORN} --port {CONSTANT_PORT}"]),
}  # fmt: skip

Players = list[tuple[str, str]]  # user id, Authorization header


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--server", choices=SERVERS, default="web")
    options.add_argument("--connections", type=int, default=32)
    options.add_argument("--requests", type=int, default=3000, help="of each kind and round")
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    players, key = make_players()
    site, constant = SERVERS[chosen.server]
    reads: list[tuple[float, float, float]] = []
    writes: dict[str, list[tuple[Load, float]]] = {}
    for _ in range(chosen.rounds):
        with processes(constant, CONSTANT_PORT, "/"):
            floor = floors.wrk(f"http://{HOST}:{CONSTANT_PORT}/", chosen.connections)
        transactions = floors.pgbench(SQL_CONNECTIONS)
        with processes(site, PORT, "/readyz") as servers:
            reads.append((*read(servers, chosen.connections), floor))
            for name, load in measure(servers, players, key, chosen.requests, chosen.connections):
                writes.setdefault(name, []).append((load, transactions))
    report(chosen, reads, writes)


def make_players() -> tuple[Players, str]:
    """Players of this run, each with a score, and the Authorization header of the back end that mints for them."""
    made = User.objects.bulk_create(
        User(username=f"bench-{uuid.uuid4().hex[:12]}", email=f"{uuid.uuid4().hex}@bench.invalid")
        for _ in range(PLAYERS)
    )
    ledger.record([ledger.Entry(user.pk, uuid.uuid4(), ScoreHistory.Source.ADJUSTMENT, delta=10) for user in made])
    _, text = api_keys.issue("benchmark", [ApiKey.Scope.MINT, ApiKey.Scope.AWARD], limit="off")
    return [(str(user.pk), f"Bearer {sign_in.start(user)['access']}") for user in made], f"Bearer {text}"


@contextmanager
def processes(commands: list[str], port: int, path: str) -> Iterator[list[psutil.Process]]:
    """These processes, once they answer at `path`."""
    folder = os.path.dirname(sys.executable)
    children = []
    for command in commands:
        name, *arguments = command.split()
        children.append(subprocess.Popen([os.path.join(folder, name), *arguments]))
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=2).read()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield [psutil.Process(child.pid) for child in children]
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait(20)


def cpu(servers: list[psutil.Process]) -> float:
    """CPU seconds that these and their workers have used."""
    family = [one for server in servers for one in (server, *server.children(recursive=True))]
    return sum(sum(process.cpu_times()[:2]) for process in family)


def read(servers: list[psutil.Process], connections: int) -> tuple[float, float]:
    """GETs of the visible top a second, and the servers' CPU seconds for each.

    Once every process has its copy of the board: until it is built SQL stands in, and the answer has no ETag.
    """
    url = f"http://{HOST}:{PORT}/api/v1/scoreboard/top"
    deadline, built = time.monotonic() + 30, 0
    while built < CALLS:
        with urllib.request.urlopen(url, timeout=5) as answer:
            built = built + 1 if answer.headers["ETag"] else 0
        if time.monotonic() > deadline:
            raise RuntimeError("the board is not built")
    before = cpu(servers)
    rate = floors.wrk(url, connections)
    return rate, (cpu(servers) - before) / (rate * floors.SECONDS)


def measure(
    servers: list[psutil.Process], players: Players, key: str, requests: int, connections: int
) -> Iterator[tuple[str, Load]]:
    def run(rendered: list[bytes], *, keep_bodies: bool = False) -> Load:
        before = cpu(servers)
        load = client.run(HOST, PORT, rendered, connections, keep_bodies=keep_bodies)
        load.cpu = cpu(servers) - before
        return load

    asked = [json.dumps({"action_type": "COMPLETE_TASK", "user_id": user_id}).encode() for user_id, _ in players]
    mints = [render("POST", "/api/v1/action/token", asked[i % PLAYERS], Authorization=key) for i in range(requests)]
    minted = run(mints, keep_bodies=True)
    yield "mint", minted
    headers = dict(players)
    redeems = [submission(body) for body in minted.bodies]
    yield (
        "redeem",
        run(
            [
                render("POST", "/api/v1/score/update", json.dumps(body).encode(), Authorization=headers[user_id])
                for user_id, body in redeems
            ]
        ),
    )
    load = run([batch(*players[number % PLAYERS]) for number in range(requests // BATCH)])
    load.seconds /= BATCH  # counted in actions; its latencies are a batch's
    load.cpu /= BATCH
    yield f"in batches of {BATCH}", load
    for size in AWARDS:
        calls = [awards(size, players, key) for _ in range(max(requests // size, CALLS))]
        load = run(calls)
        load.seconds /= size
        load.cpu /= size
        yield "award" if size == 1 else f"awards by {size}", load


def submission(body: bytes) -> tuple[str, dict[str, object]]:
    """The user's id and what redeems the token of this answer."""
    data = json.loads(body)["data"]
    user_id = tokens.verify(data["action_token"]).user_id
    kept = {name: data[name] for name in ("action_id", "action_type", "action_token")}
    return str(user_id), {**kept, "timestamp": time.time()}


def batch(user_id: str, header: str) -> bytes:
    minted = [tokens.mint(uuid.UUID(user_id), "COMPLETE_TASK") for _ in range(BATCH)]
    items = [
        {
            "action_id": str(one.action_id),
            "action_type": one.action_type,
            "action_token": one.action_token,
            "timestamp": time.time(),
        }
        for one in minted
    ]
    return render("POST", "/api/v1/score/batch", json.dumps({"actions": items}).encode(), Authorization=header)


def awards(size: int, players: Players, key: str) -> bytes:
    """One call that awards so many players, each for a deed of its own."""
    told = [
        {"id": uuid.uuid4().hex, "user_id": players[number % PLAYERS][0], "action_type": "WIN_MATCH"}
        for number in random.sample(range(max(size, PLAYERS)), size)
    ]
    path, body = ("/api/v1/awards", told[0]) if size == 1 else ("/api/v1/awards/batch", {"awards": told})
    return render("POST", path, json.dumps(body).encode(), Authorization=key)


def report(
    chosen: argparse.Namespace, reads: list[tuple[float, float, float]], writes: dict[str, list[tuple[Load, float]]]
) -> None:
    grouped = "one statement for each" if os.environ.get("ACTION_GROUP_COMMIT") == "0" else "group commit"
    print(f"{chosen.server}, {chosen.connections} connections, {grouped}, median of {chosen.rounds} rounds")
    rate, ratio = medians([(rate, floor) for rate, _, floor in reads])
    each = statistics.median(one[1] for one in reads) * 1000
    print(
        f"{'visible top':18} {rate:8.0f}/s {ratio:6.2f} x a constant answer ({spread([one[2] for one in reads])})"
        f"   from {spread([one[0] for one in reads])}   cpu {each:6.3f} ms   load {os.getloadavg()[0]:.1f}"
    )
    for name, rounds in writes.items():
        rate, ratio = medians([(load.rate, floor) for load, floor in rounds])
        loads = [load for load, _ in rounds]
        p50, p99 = (statistics.median(load.quantile(share) for load in loads) for share in (0.5, 0.99))
        each = statistics.median(load.cpu / len(load.latencies) * 1000 for load in loads)
        statuses = sum((load.statuses for load in loads[1:]), loads[0].statuses)
        print(
            f"{name:18} {rate:8.0f}/s {ratio:6.2f} x pgbench ({spread([floor for _, floor in rounds])})"
            f"   from {spread([load.rate for load, _ in rounds])}   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms"
            f"   cpu {each:5.2f} ms   {dict(statuses)}"
        )


def medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """The median rate, and the median of its ratios to the floor of the same round."""
    return statistics.median(rate for rate, _ in pairs), statistics.median(rate / floor for rate, floor in pairs)


def spread(values: list[float]) -> str:
    return f"{min(values):.0f} to {max(values):.0f}/s"


if __name__ == "__main__":
    main()
