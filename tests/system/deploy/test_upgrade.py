"""docs/operations.md, Upgrading: each process in turn, while awards go and viewers look. None is lost.

What was measured is logged (`pytest --log-cli-level=INFO`); a busy machine may be slow, and is not failed for it.
"""

import logging
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest
from live_scoreboard import Client
from websockets.exceptions import ConnectionClosed, InvalidStatus

from accounts import api_keys
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory, UserScore
from tests.support.people import players
from tests.support.processes import eventually
from tests.support.worker import Worker
from tests.system.deploy.nginx import Door, two_of_each
from tests.system.live.clients import viewer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

BACK_ENDS, VIEWERS = 3, 4
log = logging.getLogger(__name__)


class Awards:
    """Back ends that award without pause, as the kit does it: an award whose answer was lost is sent again."""

    def __init__(self, door: Door, key: str) -> None:
        self.door, self.key = door, key
        self.acknowledged: Counter[str] = Counter()
        self.failed: list[BaseException] = []
        self.slowest = 0.0

    def work(self, user_id: str, stop: threading.Event) -> None:
        client = Client(self.door.http("").rstrip("/"), key=self.key)
        while not stop.is_set():
            action_id, began = str(uuid.uuid4()), time.monotonic()
            try:
                client.award(id=action_id, user_id=user_id, action_type="WIN_MATCH")
            except Exception as error:
                self.failed.append(error)
                return
            self.acknowledged[user_id] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)


class Viewers:
    """Each connects again as soon as its connection ends; `gaps`: seconds until it saw the board again."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.gaps: list[float] = []
        self.seen: dict[int, dict[str, int]] = {}

    def look(self, number: int, stop: threading.Event) -> None:
        lost: float | None = None
        while not stop.is_set():
            try:
                with viewer(self.door, "?limit=100") as watching:
                    while not stop.is_set():
                        try:
                            message = watching.next(0.5)
                        except TimeoutError:
                            continue
                        if message["type"] != "leaderboard_update":
                            continue
                        if lost is not None:
                            self.gaps.append(time.monotonic() - lost)
                            lost = None
                        self.seen[number] = {row["username"]: row["score"] for row in message["top"]}
            except (ConnectionClosed, InvalidStatus, OSError):
                lost = lost or time.monotonic()
                time.sleep(0.05)


def test_each_process_is_replaced_in_turn_and_no_award_is_lost(board: Board, tmp_path: Path) -> None:
    crowd = players(BACK_ENDS)
    stop = threading.Event()
    with two_of_each(tmp_path) as (door, webs, lives):
        worker = Worker(tmp_path / "worker.log")
        awards, viewers = Awards(door, api_keys.issue("back end", ["award"])[1]), Viewers(door)
        threads = [threading.Thread(target=awards.work, args=(str(user.pk), stop)) for user in crowd]
        threads += [threading.Thread(target=viewers.look, args=(number, stop)) for number in range(VIEWERS)]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: len(viewers.seen) == VIEWERS, "all viewers see the board")
            for server in (*lives, *webs):
                before = awards.acknowledged.total()
                server.end()
                server.start()
                eventually(lambda before=before: awards.acknowledged.total() > before or awards.failed, "awards go on")  # type: ignore[misc]
            worker.close()
            worker = Worker(tmp_path / "worker-2.log")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            worker.close()
        told = {str(user_id): total for user_id, total in UserScore.objects.values_list("user_id", "total")}
        points = set(ScoreHistory.objects.values_list("delta", flat=True))
        log.info(
            f"{awards.acknowledged.total()} awards, the slowest {awards.slowest:.2f} s; "
            f"{len(viewers.gaps)} viewers came back, the last after {max(viewers.gaps, default=0):.2f} s"
        )
        assert awards.failed == []
        assert told == {user_id: 50 * count for user_id, count in awards.acknowledged.items()}
        assert points == {50}
        with viewer(door, "?limit=100") as watching:
            watching.scores({user.username: told[str(user.pk)] for user in crowd})
    assert len(viewers.gaps) >= VIEWERS, "each lost its connection at least once, and came back"
