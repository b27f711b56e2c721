"""A back end of a site with its own users: it tells of every deed until there is an answer, and remembers them all."""

import random
import secrets
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.system.crashes.client import Answer, Client, Lost
from tests.system.crashes.evidence import taken_back
from tests.system.crashes.history import AGAIN, EITHER, FIRST, LOST, History, Minted, Told

REMEMBERED = 20  # deeds that were acknowledged, to be told of again
PLAYERS = 8  # of all back ends, and now and then one who was not seen before
POINTS = {"COMPLETE_TASK": 10, "WIN_MATCH": 50, "DAILY_LOGIN": 5}


class BackEnd:
    """One thread. `site` is what the ids of its players begin with. `stop`, `hurry`: as of a player's tab."""

    def __init__(
        self, socket: Path, history: History, key: str, site: str, stop: threading.Event, hurry: threading.Event
    ) -> None:
        self.client = Client(socket)
        self.history = history
        self.key, self.site = key, site
        self.stop, self.hurry = stop, hurry
        self.chance = random.Random()
        self.told_of: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self.habits = (self.award, self.award, self.award_several, self.repeat, self.take_back)

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                self.chance.choice(self.habits)()
                self.stop.wait(self.chance.uniform(0, 0.05))
        except Exception as error:
            self.history.note(f"a back end met {error!r}")
            raise
        finally:
            self.client.close()

    # --- what it does ------------------------------------------------------------------------------

    def award(self) -> None:
        self.settle("POST", "/awards", [self.deed()])

    def award_several(self) -> None:
        """A batch, in which one deed may stand twice."""
        deeds = [self.deed() for _ in range(3)]
        if self.chance.random() < 0.3:
            deeds.append(deeds[0])
        self.settle("POST", "/awards/batch", deeds)

    def repeat(self) -> None:
        with suppress(IndexError):
            self.settle("POST", "/awards", [self.chance.choice(self.told_of)])

    def take_back(self) -> None:
        """For good: it is told of no more, though another repeat of it would be harmless."""
        if len(self.told_of) < REMEMBERED // 2:
            return
        deed = self.told_of.popleft()
        points = POINTS[deed["action_type"]]
        self.history.note(Minted(deed["player"], taken_back(deed["id"]), -points))
        self.settle("DELETE", f"/awards/{deed['id']}", [deed])

    def deed(self) -> dict[str, Any]:
        seen_before = self.chance.random() < 0.9
        player = f"{self.site}-{self.chance.randrange(PLAYERS) if seen_before else secrets.token_hex(4)}"
        deed = {
            "id": f"order-{secrets.token_hex(6)}",
            "player": player,
            "action_type": self.chance.choice([*POINTS]),
            "name": f"Called {player}",
        }
        self.history.note(Minted(player, deed["id"], POINTS[deed["action_type"]]))
        return deed

    # --- how it hears what became of it -------------------------------------------------------------

    def settle(self, method: str, path: str, deeds: list[dict[str, Any]]) -> None:
        """Says it until there is an answer."""
        while not self.hurry.is_set():
            with suppress(Lost):
                if self.say(method, path, deeds).status != 503:
                    return
            self.hurry.wait(self.chance.uniform(0.1, 0.4))

    def say(self, method: str, path: str, deeds: list[dict[str, Any]]) -> Answer:
        """Raises Lost. 5xx but 503 is a defect of the site, and so is every refusal."""
        body = {"awards": deeds} if path.endswith("batch") else None if method == "DELETE" else deeds[0]
        invoked = time.monotonic()
        try:
            answer = self.client.ask(method, path, body, self.key)
        except Lost:
            self.note(method, deeds, invoked, time.monotonic(), [{"status": LOST}] * len(deeds))
            raise
        if answer.status == 503:
            results = [{"status": 503}] * len(deeds)
        elif path.endswith("batch") and answer.status == 200:
            results = answer.data["results"]
        else:
            results = [{**answer.body.get("data", {}), "status": answer.status}]
        self.note(method, deeds, invoked, answer.returned, results)
        for deed, result in zip(deeds, results, strict=True):
            if result["status"] not in (200, 201, 503):
                self.history.note(f"{method} {path} for {deed} was answered {answer.status}: {answer.body}")
        return answer

    def note(
        self, method: str, deeds: list[dict[str, Any]], invoked: float, returned: float, results: list[dict[str, Any]]
    ) -> None:
        for deed, result in zip(deeds, results, strict=True):
            status, name = result["status"], deed["id"]
            if method == "DELETE":
                status, name = EITHER if status == 200 else status, taken_back(name)
            elif status in (200, 201):
                status = AGAIN if result["replayed"] else FIRST
                self.told_of.append(deed)
            figures = result.get("new_score"), result.get("score_delta")
            self.history.note(Told(deed["player"], name, invoked, returned, status, *figures))
