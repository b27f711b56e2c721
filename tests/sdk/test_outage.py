"""A day on which the scoreboard can hardly be reached: what the kits accepted is paid, once, and nothing else is.

The clock is stepped: the kits wait for hours that pass at once. Requests that get through reach the running site; often
the answer is lost, or the process dies before it has noted it.
"""

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from live_scoreboard import Buffer, BufferFull, Client
from live_scoreboard.core import Answer, Send, Steps, Wait

from actions.models import Award
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory
from tests.sdk.site import key, run_node, running_site, told

DAY = 86_400.0
MOST = 60  # awards that the buffer takes: fewer than come in the longest outage
NOT_THE_SCOREBOARD = b"<html>Sign in to this network</html>"


@dataclass
class Day:
    """Steps through one day of a process that awards hundreds of deeds, and dies at times."""

    client: Client
    path: Path | None
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    now: float = 0.0
    deeds: int = 0
    accepted: list[str] = field(default_factory=list)
    no_room: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    deaths: int = 0

    def run(self) -> None:
        arrival, death, steps, reply = 0.0, self.lifetime(), self.start(), None
        while self.now < DAY:
            while arrival <= self.now:
                self.deed()
                arrival += self.chance.expovariate(1 / 120)
            if self.path and death < self.now:
                self.die()
                death, steps, reply = self.now + self.lifetime(), self.start(), None
            try:
                reply = self.take(steps.send(reply))
            except StopIteration:
                self.now, steps, reply = max(self.now, arrival), self.start(), None
        self.now = DAY
        self.finish(self.start())

    def start(self) -> Steps[None]:
        return self.client.core.deliver(lambda award, error: self.refused.update([award["id"]]))

    def lifetime(self) -> float:
        return self.chance.expovariate(1 / 7200)

    def deed(self) -> None:
        self.deeds += 1
        known = self.chance.random() > 0.05
        id = f"deed-{self.deeds}" if known else f"unknown-{self.deeds}"
        try:
            self.client.core.buffer.add(
                {"id": id, "player": f"p{self.deeds % 40}", "action_type": "WIN_MATCH" if known else "NOTHING"}
            )
            self.accepted.append(id)
        except BufferFull:
            self.no_room += 1
        assert self.client.core.buffer.count <= MOST

    def take(self, step: Send | Wait) -> Any:
        if isinstance(step, Wait):
            assert 0 < step.seconds <= 3601
            self.now += step.seconds
            return None
        self.attempts += 1
        self.now += 0.1
        nothing = ConnectionResetError("the line is dead")
        if (self.now // 14_400) % 2 == 0:  # the first four hours, and so on: not a byte gets through
            return nothing
        match self.chance.randrange(24):
            case 0:
                return self.client.take(step)
            case 1 | 2:
                self.client.take(step)
                return nothing
            case 3:
                self.client.take(step)
                self.now += 10
                return TimeoutError()
            case 4 | 5:
                return Answer(429, {"retry-after": "120"}, b'{"type": "/problems/rate-limited"}')
            case 6 | 7:
                return Answer(503, {}, b'{"type": "/problems/unavailable"}')
            case 8 | 9:
                return Answer(403, {}, b'{"type": "/problems/forbidden"}')  # the key is revoked for a while
            case 10 | 11:
                return Answer(self.chance.choice([200, 404, 413, 502]), {}, NOT_THE_SCOREBOARD)
            case _:
                return nothing

    def die(self) -> None:
        """What a new process finds is what the file has at this moment, and half of what was being written."""
        self.deaths += 1
        assert self.path is not None
        old, self.path = self.path, self.path.with_name(f"{self.deaths}.sqlite")
        for ending in ("", "-wal"):
            if (left := Path(f"{old}{ending}")).exists():
                shutil.copy(left, f"{self.path}{ending}")
        with Path(f"{self.path}-wal").open("ab") as torn:
            torn.write(self.chance.randbytes(500))
        self.client.core.buffer = Buffer(str(self.path), most=MOST)

    def finish(self, steps: Steps[None]) -> None:
        """The outage is over."""
        reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration:
                return
            reply = self.client.take(step) if isinstance(step, Send) else None


def assert_paid_once(accepted: Iterable[str]) -> None:
    """The ledger has these awards, each once, and no other."""
    paid = [id for id in accepted if not id.startswith("unknown")]
    assert len(paid) == len(set(paid))
    assert {bytes(key) for key in Award.objects.values_list("key", flat=True)} == {
        sha256(id.encode()).digest() for id in paid
    }
    assert list(ScoreHistory.objects.values_list("delta", flat=True)) == [50] * len(paid)


@pytest.mark.parametrize("on_disk", [pytest.param(False, marks=pytest.mark.long), True], ids=["in memory", "on disk"])
def test_python_loses_and_doubles_nothing(board: Board, tmp_path: Path, on_disk: bool) -> None:
    random.seed(7)
    with running_site(tmp_path) as site:
        path = tmp_path / "0.sqlite" if on_disk else None
        client = Client(site.http(""), key("award"))
        client.core.buffer = Buffer(str(path or ":memory:"), most=MOST)
        day = Day(client, path)
        day.run()
        client.close(0)
    assert_paid_once(day.accepted)
    assert day.client.core.buffer.count == 0
    unknown = {id for id in day.accepted if id.startswith("unknown")}
    assert set(day.refused) == unknown
    assert unknown
    assert len(day.accepted) + day.no_room == day.deeds > 500
    assert day.no_room > 0
    assert day.attempts < DAY / 20
    assert bool(day.deaths) == on_disk


def test_javascript_loses_and_doubles_nothing(board: Board, installed: Path, tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        done = run_node(installed, "outage.mjs", env=told(site))
    assert (done.returncode, done.stderr) == (0, "")
    day = json.loads(done.stdout)
    assert_paid_once(day["accepted"])
    unknown = {id for id in day["accepted"] if id.startswith("unknown")}
    assert set(day["refused"]) == unknown
    assert unknown
    assert len(day["accepted"]) + day["noRoom"] == day["deeds"] > 500
    assert day["noRoom"] > 0
    assert day["deaths"] > 0
    assert day["attempts"] < DAY / 20
