"""Being signed in: sign-in, sign-up where that is refused, renewal, and calls that carry the access token."""

import base64
import json
import time
from dataclasses import dataclass
from threading import Event
from typing import Any

from devsite.players.client import Answer, NetworkError, call
from devsite.players.tally import Tally

API = "/api/v1"
MARGIN = 30.0  # seconds an access token must still be good for, or it is renewed first


@dataclass
class Session:
    """One player at the site `url`. `key`: the back end's, which grants more. `stop`: begin nothing new."""

    url: str
    name: str
    email: str
    password: str
    key: str
    stop: Event
    tally: Tally
    access: str = ""
    user_id: str = ""
    refresh: str = ""
    renew_at: float = 0.0

    def sign_in(self) -> bool:
        """False when refused for good, or told to stop before there was a decision."""
        answer = self.enter()
        if answer is not None and answer.status == 401:
            self.persist("/auth/register", {"username": self.name, "email": self.email, "password": self.password})
            answer = self.enter()
        if answer is not None and answer.status != 200:
            self.refused("sign-in", answer)
        return answer is not None and answer.status == 200

    def fresh(self) -> bool:
        """Renews the access token if it is about to expire; False when that is refused."""
        if time.monotonic() < self.renew_at:
            return True
        answer = self.keep(self.persist("/auth/token/refresh", {"refresh": self.refresh}))
        return (answer is not None and answer.status == 200) or self.sign_in()

    def enter(self) -> Answer | None:
        return self.keep(self.persist("/auth/token", {"username": self.name, "password": self.password}))

    def keep(self, answer: Answer | None) -> Answer | None:
        if answer is not None and answer.status == 200:
            self.access, self.refresh = answer.data["access"], answer.data["refresh"]
            said = claims(self.access)
            self.user_id = said["sub"]
            # Only the difference is used, so the two clocks need not agree.
            self.renew_at = time.monotonic() + float(said["exp"] - said["iat"]) - MARGIN
        return answer

    def persist(self, path: str, body: dict[str, Any]) -> Answer | None:
        """The server's decision, asked for until there is one; None when told to stop first."""
        while not self.stop.is_set():
            answer = self.call("sign-in", path, body, access="")
            if answer is None:
                self.stop.wait(1)
            elif answer.status == 429 or answer.status >= 500:
                self.refused("sign-in", answer)
                self.stop.wait(answer.retry_after)
            else:
                return answer
        return None

    def mint(self, action_type: str, granted_by: str) -> Answer | None:
        """A token for this player, who asks for it or whom the back end grants it."""
        if granted_by == "player":
            return self.act("mint", "/action/token", {"action_type": action_type})
        return self.call("mint", "/action/token", {"action_type": action_type, "user_id": self.user_id}, self.key)

    def act(self, step: str, path: str, body: dict[str, Any]) -> Answer | None:
        """A call as this player; None without an answer."""
        return self.call(step, path, body, self.access)

    def call(self, step: str, path: str, body: dict[str, Any], access: str) -> Answer | None:
        try:
            answer = call(self.url, "POST", API + path, body, access)
        except NetworkError:
            self.tally.add(network_errors=not self.stop.is_set())
            return None
        if answer.status >= 500 and not self.stop.is_set():  # what fails while stopping is the stop's
            self.tally.failed(step, answer)
        return answer

    def refused(self, step: str, answer: Answer) -> None:
        """Counts a refusal; 5xx are failures and already counted as such."""
        if answer.status < 500:
            self.tally.failed(step, answer)


def claims(access: str) -> dict[str, Any]:
    """What a JWT says."""
    encoded = access.split(".")[1]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    return said
