"""An honest player with several tabs open, who hands every token in until there is a decision, and remembers it all."""

import base64
import json
import random
import secrets
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.people import PASSWORD
from tests.support.processes import eventually
from tests.system.crashes.client import Answer, Client, Lost
from tests.system.crashes.history import LOST, History, Minted, Seen, Told

TYPES = ("COMPLETE_TASK", "WIN_MATCH", "DAILY_LOGIN")
GIVES_UP = 0.15  # of the tokens whose answer was lost: what became of them stays unknown to the client


class Player:
    """Signed up. `remembered` are tokens that some tab has handed in, to be handed in again now and then."""

    def __init__(self, socket: Path, history: History, key: str) -> None:
        self.key = key  # of the back end on whose word tokens are minted
        self.name = ""
        self.history = history
        self.jwt = ""
        self.user_id = ""
        self.clock_ahead = 0.0
        self.remembered: deque[dict[str, Any]] = deque(maxlen=20)
        self.promises: deque[tuple[str, list[str]]] = deque()
        self.signing_in = threading.Lock()
        client = Client(socket)
        # What the fault before this one left behind may still cost a thread of `web` its connection, and us a 503.
        eventually(lambda: self.sign_up(client), "the player is signed up")
        eventually(lambda: self.signed_in(client), "the player is signed in")
        client.close()

    def sign_up(self, client: Client) -> bool:
        """Under another name than an attempt whose answer was lost, for that may have counted."""
        self.name = f"p-{secrets.token_hex(5)}"
        asked = {"username": self.name, "email": f"{self.name}@x.org", "password": PASSWORD}
        try:
            answer = client.ask("POST", "/auth/register", asked)
        except Lost:
            return False
        assert answer.status in (201, 503), answer
        return answer.status == 201

    def signed_in(self, client: Client) -> bool:
        try:
            return self.sign_in(client, "")
        except Lost:
            return False

    def sign_in(self, client: Client, refused: str) -> bool:
        """Gets another access token than the one that was refused, unless another tab has."""
        with self.signing_in:
            if self.jwt == refused:
                answer = client.ask("POST", "/auth/token", {"username": self.name, "password": PASSWORD})
                if answer.status != 200:
                    return False
                self.jwt = answer.data["access"]
                claims = self.jwt.split(".")[1]
                self.user_id = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]
            return True


class Tab:
    """One thread of a player. `stop`: begin nothing new; `hurry`: nor go on with anything."""

    def __init__(self, player: Player, socket: Path, stop: threading.Event, hurry: threading.Event) -> None:
        self.player = player
        self.history = player.history
        self.client = Client(socket)
        self.stop, self.hurry = stop, hurry
        self.chance = random.Random()
        self.habits = (self.redeem_one, self.redeem_one, self.redeem_several, self.redeem_later, self.repeat, self.read)

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                try:
                    self.chance.choice(self.habits)()
                    self.stop.wait(self.chance.uniform(0, 0.03))
                except Lost:
                    self.stop.wait(self.chance.uniform(0.1, 0.4))
        except Exception as error:
            self.history.note(f"a client met {error!r}")
            raise
        finally:
            self.client.close()

    def hears_all(self) -> bool:
        """Asks for one more promise; whether there is none left."""
        if self.player.promises:
            with suppress(Lost):
                self.ask_for_promised()
        return not self.player.promises

    # --- what it does ------------------------------------------------------------------------------

    def redeem_one(self) -> None:
        if body := self.mint():
            self.settle("/score/update", [body])

    def redeem_several(self) -> None:
        """A batch, in which one token may stand twice."""
        bodies = [body for _ in range(3) if (body := self.mint())]
        if bodies and self.chance.random() < 0.3:
            bodies.append(bodies[0])
        if bodies:
            self.settle("/score/batch", bodies)

    def redeem_later(self) -> None:
        if body := self.mint():
            self.settle("/score/update", [body], Prefer="respond-async")
        with suppress(IndexError):  # another tab may take the last one at this moment
            self.ask_for_promised()

    def repeat(self) -> None:
        """A token that was handed in before, perhaps by another tab at this moment."""
        with suppress(IndexError):
            self.settle("/score/update", [self.chance.choice(list(self.player.remembered))])

    def read(self) -> None:
        answer = self.ask("GET", "/score/me")
        if answer.status == 200:
            self.history.note(Seen(self.player.user_id, answer.invoked, answer.returned, answer.data["score"]))

    def mint(self) -> dict[str, Any] | None:
        asked = {"action_type": self.chance.choice(TYPES), "user_id": self.player.user_id}
        answer = self.client.ask("POST", "/action/token", asked, self.player.key)
        if answer.status != 201:
            return None
        token = answer.data
        self.history.note(Minted(self.player.user_id, token["action_id"], token["points"]))
        return {name: token[name] for name in ("action_id", "action_type", "action_token")}

    # --- how it hears what became of it -------------------------------------------------------------

    def settle(self, path: str, bodies: list[dict[str, Any]], **headers: str) -> None:
        """Hands these in until there is a decision; gives some up."""
        self.player.remembered.extend(bodies)
        while not self.hurry.is_set():
            try:
                answer = self.hand_in(path, bodies, headers)
            except Lost:
                answer = None
            if answer is not None and answer.status not in (401, 503):
                return
            if (answer is None or answer.status == 503) and self.chance.random() < GIVES_UP:
                return
            self.hurry.wait(self.chance.uniform(0.1, 0.4))

    def hand_in(self, path: str, bodies: list[dict[str, Any]], headers: dict[str, str]) -> Answer:
        now = time.time() + self.player.clock_ahead
        stamped = [{**body, "timestamp": now} for body in bodies]
        ids = [str(body["action_id"]) for body in bodies]
        invoked = time.monotonic()
        try:
            answer = self.ask("POST", path, {"actions": stamped} if path.endswith("batch") else stamped[0], **headers)
        except Lost:
            self.note_all(ids, invoked, time.monotonic(), LOST)
            raise
        if answer.status == 202:
            self.note_all(ids, invoked, answer.returned, 202)
            self.player.promises.append((answer.data["status_url"], ids))
        elif path.endswith("batch") and answer.status == 200:
            for told in answer.data["results"]:
                self.note(told["action_id"], invoked, answer.returned, told["status"], told)
        else:
            for action in ids:
                self.note(action, invoked, answer.returned, answer.status, answer.body.get("data") or answer.body)
        return answer

    def ask_for_promised(self) -> None:
        url, ids = self.player.promises.popleft()
        try:
            answer = self.ask("GET", url.removeprefix("/api/v1"))
        except Lost:
            self.player.promises.append((url, ids))
            raise
        if answer.status != 200 or answer.data["state"] != "done":
            self.player.promises.append((url, ids))
            return
        for told in answer.data["results"]:
            self.note(told["action_id"], answer.invoked, answer.returned, told["status"], told, handed_in=False)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """An answer, after signing in again if that is what it takes; 5xx but 503 is a defect of the site."""
        jwt = self.player.jwt
        answer = self.client.ask(method, path, body, jwt, **headers)
        if answer.status == 401 and self.player.sign_in(self.client, jwt):
            answer = self.client.ask(method, path, body, self.player.jwt, **headers)
        if answer.status == 503 and answer.kind == "unavailable" and answer.retry_after is None:
            self.history.note(f"{method} {path} was answered 503 without Retry-After")
        if answer.status >= 500 and answer.status != 503:
            self.history.note(f"{method} {path} was answered {answer.status}: {answer.body}")
        return answer

    def note_all(self, ids: list[str], invoked: float, returned: float, status: int) -> None:
        self.history.note(*(Told(self.player.user_id, action, invoked, returned, status) for action in ids))

    def note(
        self, action: str, invoked: float, returned: float, status: int, said: dict[str, Any], *, handed_in: bool = True
    ) -> None:
        what = said.get("original", said)
        figures = (what.get("new_score"), what.get("score_delta"), what.get("redeemed_at"))
        self.history.note(Told(self.player.user_id, action, invoked, returned, status, *figures, handed_in))
