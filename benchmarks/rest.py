"""REST under load: cached board reads, mint, redeem, batches, against the same SQL without HTTP in the same run.

    python -m benchmarks.rest [--server granian-wsgi] [--requests 3000] [--connections 32] [--rounds 3]

Prints requests per second, p50, p99, CPU time of the server, and the ratio to the floor: the redeem statement
called from 8 threads over 8 connections, with nothing around it. Needs DATABASE_URL and REDIS_URL (`make bench` sets
them up); it writes players and scores into that database.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
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

from django.db import connection

from accounts import sign_in
from accounts.models import User
from actions import redemption, tokens
from benchmarks import client
from benchmarks.client import Load, render

PORT = 8377
HOST = "127.0.0.1"
PLAYERS = 200
BATCH = 50

SERVER: list[psutil.Process] = []  # the running one

SERVERS = {
    "granian-wsgi": ["granian", "--interface", "wsgi", "config.wsgi:application", "--workers", "2",
                     "--no-ws", "--log-level", "warning"],
    "uvicorn-asgi": ["uvicorn", "benchmarks.asgi_site:application", "--workers", "2", "--log-level", "warning"],
}  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--server", choices=SERVERS, default="granian-wsgi")
    options.add_argument("--connections", type=int, default=32)
    options.add_argument("--requests", type=int, default=3000, help="of each kind and round")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--threads", type=int, default=16, help="blocking threads of each granian worker")
    chosen = options.parse_args()
    players = make_players()
    with server(chosen.server, chosen.threads):
        rows: dict[str, list[Load]] = {}
        floors = []
        for _ in range(chosen.rounds):
            floors.append(sql_floor(players, chosen.requests, chosen.connections))
            for name, load in measure(players, chosen.requests, chosen.connections):
                rows.setdefault(name, []).append(load)
    report(chosen, rows, statistics.median(floors))


def make_players() -> dict[str, str]:
    """Players of this run: user id → Authorization header."""
    made = User.objects.bulk_create(
        User(username=f"bench-{uuid.uuid4().hex[:12]}", email=f"{uuid.uuid4().hex}@bench.invalid")
        for _ in range(PLAYERS)
    )
    return {str(user.pk): f"Bearer {sign_in.start(user)['access']}" for user in made}


@contextmanager
def server(name: str, threads: int) -> Iterator[None]:
    command, *arguments = SERVERS[name]
    if command == "granian":
        arguments += ["--blocking-threads", str(threads)]
    program = os.path.join(os.path.dirname(sys.executable), command)
    # Under ASGI each request has a thread, and so a connection, of its own; kept open, they use up PostgreSQL's.
    kept = {"DATABASE_CONN_MAX_AGE": "0"} if command == "uvicorn" else {}
    child = subprocess.Popen([program, *arguments, "--host", HOST, "--port", str(PORT)], env={**os.environ, **kept})
    SERVER.append(psutil.Process(child.pid))
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://{HOST}:{PORT}/readyz", timeout=2).read()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield
    finally:
        SERVER.clear()
        child.terminate()
        child.wait(20)


def server_cpu() -> float:
    """CPU seconds the server and its workers have used."""
    family = [SERVER[0], *SERVER[0].children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in family)


def run(requests: list[bytes], connections: int, *, keep_bodies: bool = False) -> Load:
    """client.run, with the server's CPU time noted."""
    before = server_cpu()
    load = client.run(HOST, PORT, requests, connections, keep_bodies=keep_bodies)
    load.cpu = server_cpu() - before
    return load


def measure(players: dict[str, str], requests: int, connections: int) -> Iterator[tuple[str, Load]]:
    yield "GET top 10 (cached)", run([render("GET", "/api/v1/scoreboard/top")] * requests, connections)
    asked = json.dumps({"action_type": "COMPLETE_TASK"}).encode()
    headers = list(players.values())
    mints = [render("POST", "/api/v1/action/token", asked, Authorization=headers[i % PLAYERS]) for i in range(requests)]
    minted = run(mints, connections, keep_bodies=True)
    yield "POST mint", minted
    redeems = [submission(body) for body in minted.bodies]
    yield (
        "POST redeem",
        run(
            [
                render("POST", "/api/v1/score/update", json.dumps(s).encode(), Authorization=players[u])
                for u, s in redeems
            ],
            connections,
        ),
    )
    yield f"actions in batches of {BATCH}", batches(players, requests, connections)


def submission(body: bytes) -> tuple[str, dict[str, object]]:
    data = json.loads(body)["data"]
    user_id = tokens.verify(data["action_token"]).user_id
    kept = {name: data[name] for name in ("action_id", "action_type", "action_token")}
    return str(user_id), {**kept, "timestamp": time.time()}


def batches(players: dict[str, str], actions: int, connections: int) -> Load:
    """`actions` redemptions in batches; the Load is counted in actions, its latencies are a batch's."""
    requests = []
    for user_id, header in list(players.items())[: actions // BATCH]:
        minted = [tokens.mint(uuid.UUID(user_id), "COMPLETE_TASK") for _ in range(BATCH)]
        items = [
            {
                "action_id": str(m.action_id),
                "action_type": m.action_type,
                "action_token": m.action_token,
                "timestamp": time.time(),
            }
            for m in minted
        ]
        requests.append(
            render("POST", "/api/v1/score/batch", json.dumps({"actions": items}).encode(), Authorization=header)
        )
    load = run(requests, connections)
    load.seconds /= BATCH
    load.cpu /= BATCH
    return load


def sql_floor(players: dict[str, str], requests: int, connections: int) -> float:
    """Redemptions per second of the bare statement."""
    ids = [uuid.UUID(user_id) for user_id in players]
    minted = [(ids[i % PLAYERS], tokens.mint(ids[i % PLAYERS], "COMPLETE_TASK")) for i in range(requests)]
    work = iter(minted)
    lock = threading.Lock()

    def redeem() -> None:
        with connection.cursor() as cursor:
            while True:
                with lock:
                    one = next(work, None)
                if one is None:
                    break
                user_id, token = one
                cursor.execute(
                    redemption.REDEEM,
                    [[token.action_id], [user_id], [token.action_type], [token.points], None, None, None, ["bench"]],
                )
                cursor.fetchall()
        connection.close()

    threads = [threading.Thread(target=redeem) for _ in range(min(connections, 8))]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return requests / (time.perf_counter() - started)


def report(chosen: argparse.Namespace, rows: dict[str, list[Load]], floor: float) -> None:
    grouped = "one statement for each" if os.environ.get("ACTION_GROUP_COMMIT") == "0" else "group commit"
    threads = f", {chosen.threads} threads, {grouped}" if chosen.server == "granian-wsgi" else ""
    print(f"{chosen.server}{threads}, {chosen.connections} connections, median of {chosen.rounds} rounds")
    print(f"{'bare redeem statement':32} {floor:8.0f}/s   1.00 x floor")
    for name, loads in rows.items():
        rate = statistics.median(load.rate for load in loads)
        p50 = statistics.median(load.quantile(0.5) for load in loads)
        p99 = statistics.median(load.quantile(0.99) for load in loads)
        cpu = statistics.median(load.cpu / len(load.latencies) * 1000 for load in loads)
        statuses = sum((load.statuses for load in loads[1:]), loads[0].statuses)
        print(f"{name:32} {rate:8.0f}/s {rate / floor:6.2f} x floor   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms", end="")
        print(f"   cpu {cpu:5.2f} ms   {dict(statuses)}")


if __name__ == "__main__":
    main()
