"""One process of players: `python -m actions.play`, told what to do by one line of JSON on its standard input.

It plays until its time is up, until a signal, or until its standard input ends, which also happens when whoever
started it dies. Then it writes its tally as one line of JSON.
"""

import json
import math
import os
import signal
import sys
import time
from dataclasses import dataclass
from threading import Event, Semaphore, Thread
from typing import Any

from actions.play.client import Client, NetworkError
from actions.play.player import Player
from actions.play.session import API, Session
from actions.play.tally import Tally, total

SIGNING_IN = 2  # at one time and process: hashing passwords is the server's slowest work
LEAVING = 20.0  # seconds for calls in flight to end


@dataclass(frozen=True)
class Order:
    """What one process does: `players` are [name, password] pairs, `rate` is for all of them together.

    `patience`: seconds the clock waits for players to sign in; who is later joins the others.
    """

    url: str
    players: list[tuple[str, str]]
    known: bool
    rate: float
    seconds: float
    repeat: float
    patience: float


def main() -> None:
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # Unbuffered: a thread blocked in a buffered reader would hold its lock at exit.
    with open(0, "rb", buffering=0, closefd=False) as orders:
        order = Order(**json.loads(orders.readline()))
    Thread(target=await_end_of_input, args=[stop], daemon=True).start()
    sys.stdout.write(run(order, stop).to_json() + "\n")


def await_end_of_input(stop: Event) -> None:
    while os.read(0, 1024):
        pass
    stop.set()


def run(order: Order, stop: Event) -> Tally:
    """Plays; returns what all players of this process saw."""
    waited = Tally()
    catalogue = fetch_catalogue(order, stop, waited)
    if not catalogue:
        return waited
    signing_in, decided = Semaphore(SIGNING_IN), Semaphore(0)
    players = [
        Player(
            Session(name, password, order.known, Client(order.url), stop, Tally()),
            order.rate / len(order.players),
            order.repeat,
            catalogue,
        )
        for name, password in order.players
    ]
    start = Event()
    threads = [Thread(target=life, args=[player, signing_in, decided, start], daemon=True) for player in players]
    for thread in threads:
        thread.start()
    gather(len(players), decided, order.patience, stop)
    started = time.monotonic()
    start.set()
    stop.wait(order.seconds or None)
    stop.set()
    seconds = time.monotonic() - started
    for thread in threads:
        thread.join(max(0.0, started + seconds + LEAVING - time.monotonic()))
    tally = total(player.session.tally for player in players)
    tally.seconds = seconds
    return tally


def life(player: Player, signing_in: Semaphore, decided: Semaphore, start: Event) -> None:
    with signing_in:
        signed_in = player.session.sign_in()
    decided.release()
    if signed_in:
        player.session.tally.signed_in = 1
        start.wait()
        player.play()


def gather(players: int, decided: Semaphore, patience: float, stop: Event) -> None:
    """Waits until every player is signed in or refused, but not for ever."""
    deadline = time.monotonic() + patience
    for _ in range(players):
        while not decided.acquire(timeout=0.2):
            if stop.is_set() or time.monotonic() > deadline:
                return


def fetch_catalogue(order: Order, stop: Event, tally: Tally) -> list[dict[str, Any]]:
    """What can be done for points, from a site that may be just starting. Empty, and counted why, without an answer."""
    client = Client(order.url)
    deadline = time.monotonic() + order.patience if order.seconds else math.inf
    while not stop.is_set() and time.monotonic() < deadline:
        try:
            answer = client.call("GET", f"{API}/action/types")
        except NetworkError:
            tally.network_errors += 1
        else:
            if answer.status == 200:
                return list(answer.data)
            tally.failed("catalogue", answer.status, answer.reason)
        stop.wait(0.5)
    return []


if __name__ == "__main__":
    main()
