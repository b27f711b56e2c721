"""HTTP to the site's `web`, over its socket; what got no whole answer is lost, and never sent again by itself."""

import http.client
import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT = 4.0  # seconds a client waits; less than the faults last, so that answers are lost


class Lost(Exception):
    """No whole answer came."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]
    retry_after: str | None
    invoked: float
    returned: float

    @property
    def data(self) -> Any:
        return self.body["data"]

    @property
    def kind(self) -> str:
        return str(self.body.get("type", "")).removeprefix("/problems/")


class SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT)
        try:
            self.sock.connect(str(self.path))
        except OSError:
            self.close()
            raise


class Client:
    """One connection, for one thread."""

    def __init__(self, path: Path) -> None:
        self.connection = SocketConnection(path)

    def ask(self, method: str, path: str, body: Any = None, jwt: str = "", **headers: str) -> Answer:
        """Raises Lost."""
        if jwt:
            headers["Authorization"] = f"Bearer {jwt}"
        raw = None
        if body is not None:
            raw, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        invoked = time.monotonic()
        try:
            self.connection.request(method, f"/api/v1{path}", raw, headers)
            response = self.connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise Lost(repr(error)) from error
        return Answer(
            response.status, document(content), response.headers.get("Retry-After"), invoked, time.monotonic()
        )

    def close(self) -> None:
        self.connection.close()


def document(content: bytes) -> dict[str, Any]:
    """The JSON of an answer; {} for what is none, such as the server's own refusal when it is overloaded."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
