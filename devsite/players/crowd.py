"""Many players at one site, in a thread each."""

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from typing import Any

from devsite.players.client import NetworkError, call
from devsite.players.player import Player
from devsite.players.session import API, Session
from devsite.players.tally import Tally

SIGNING_IN = 2  # at one time: hashing passwords is the server's slowest work
LEAVING = 20.0  # seconds for calls in flight to end


def play(
    url: str,
    people: Sequence[tuple[str, str]],
    password: str,
    key: str,
    rate: float,
    seconds: float,
    repeat: float,
    stop: Event,
) -> Tally:
    """What `people` (names and email addresses, one password) saw at the site `url`.

    Each plays as soon as signed in, until `seconds` after the last one is (0: without end), or until `stop`.
    `key`: of a back end that mints what players may not grant themselves; "": there is none.
    `rate`: actions per second, all together; `repeat`: the share of tokens handed in twice on purpose.
    """
    waiting, tally = Tally(), Tally()
    catalogue = fetch_catalogue(url, seconds, stop, waiting)
    catalogue = [one for one in catalogue if one["granted_by"] == "player" or (key and one["granted_by"] == "back_end")]
    if not catalogue:
        return waiting
    sessions = [Session(url, name, email, password, key, stop, tally) for name, email in people]
    threads: list[Thread] = []
    started = time.monotonic()
    with ThreadPoolExecutor(SIGNING_IN) as pool:
        for session, signed_in in zip(sessions, pool.map(Session.sign_in, sessions), strict=True):
            if signed_in:
                tally.add(signed_in=1)
                player = Player(session, rate / len(people), repeat, catalogue)
                threads.append(Thread(target=player.play, daemon=True))
                threads[-1].start()
    stop.wait(seconds or None)
    stop.set()
    tally.seconds = time.monotonic() - started
    for thread in threads:
        thread.join(max(0.0, started + tally.seconds + LEAVING - time.monotonic()))
    return tally


def fetch_catalogue(url: str, seconds: float, stop: Event, tally: Tally) -> list[dict[str, Any]]:
    """What can be done for points, from a site that may be just starting. Empty, and counted why, without an answer."""
    deadline = time.monotonic() + (seconds or math.inf)
    while not stop.is_set() and time.monotonic() < deadline:
        try:
            answer = call(url, "GET", f"{API}/action/types")
        except NetworkError:
            tally.add(network_errors=1)
        else:
            if answer.status == 200:
                return list(answer.data)
            tally.failed("catalogue", answer)
        stop.wait(0.5)
    return []
