"""A client of a server process: one connection, kept alive, and players who are already signed in."""

import json
import time
from http.client import HTTPConnection
from types import TracebackType
from typing import Any

from accounts.models import User
from tests.support.client import MINT, UPDATE
from tests.support.people import back_end, bearer
from tests.support.processes import PATIENCE
from tests.system.live.server import Server

IDLE_SECONDS = 5.0  # after which the server may have closed the connection


class Client:
    def __init__(self, server: Server) -> None:
        self.connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        self.used = time.monotonic()
        self.headers: dict[str, str] = {}  # of the last answer
        self.back_end: dict[str, str] = {}  # whose word tokens are minted on

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.connection.close()

    def ask(
        self, method: str, path: str, user: User | None = None, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """(status, the JSON of the answer)."""
        self.send(method, path, user, body, **headers)
        return self.receive()

    def send(self, method: str, path: str, user: User | None = None, body: Any = None, **headers: str) -> None:
        sent = {**(bearer(user) if user else {}), **headers}
        raw = None
        if body is not None:
            raw, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        if time.monotonic() - self.used > IDLE_SECONDS:
            self.connection.close()  # it opens again by itself
        self.connection.request(method, path, raw, sent)

    def receive(self) -> tuple[int, Any]:
        answer = self.connection.getresponse()
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        content = answer.read()
        self.used = time.monotonic()
        return answer.status, json.loads(content) if content else None

    def get(self, path: str, user: User | None = None) -> tuple[int, Any]:
        return self.ask("GET", path, user)

    def post(self, path: str, body: Any, user: User | None = None) -> tuple[int, Any]:
        return self.ask("POST", path, user, body)

    def mint(self, user: User, action_type: str = "WIN_MATCH") -> dict[str, Any]:
        """The body that redeems a new token."""
        self.back_end = self.back_end or back_end()
        asked = {"action_type": action_type, "user_id": str(user.pk)}
        status, answer = self.ask("POST", MINT, None, asked, **self.back_end)
        assert status == 201, answer
        minted = {name: answer["data"][name] for name in ("action_id", "action_type", "action_token")}
        return {**minted, "timestamp": time.time()}

    def act(self, user: User, action_type: str = "WIN_MATCH") -> dict[str, Any]:
        """Mints and redeems; the answer without the action's id."""
        status, answer = self.post(UPDATE, self.mint(user, action_type), user)
        assert status == 200, answer
        data: dict[str, Any] = answer["data"]
        del data["action_id"]
        return data
