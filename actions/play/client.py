"""JSON over one kept-alive HTTP connection."""

import http.client
import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 15.0  # seconds; longer than any answer the server means to give
STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class NetworkError(Exception):
    """No answer came: whether the server did what was asked is unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `retry_after`: seconds; `policy`: the limit that a 429 names; `repeated`: sent twice, as the
    connection ended after the first time, so the server may have done it twice."""

    status: int
    body: dict[str, Any]
    retry_after: float
    policy: str
    repeated: bool = False

    @property
    def reason(self) -> str:
        """The problem slug of a failure."""
        return str(self.body.get("type", f"http-{self.status}")).removeprefix("/problems/")

    @property
    def data(self) -> Any:
        return self.body["data"]


class Client:
    """One connection to `url`, an http or https origin; opened when needed, for one thread."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, access: str | None = None) -> Answer:
        """Raises NetworkError when no whole answer came."""
        headers = {"Accept": "application/json"}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if access is not None:
            headers["Authorization"] = f"Bearer {access}"
        kept_alive = self.connection.sock is not None
        try:
            try:
                return self.exchange(method, path, payload, headers)
            except STALE:
                # The server may close an idle connection at the moment we use it; that is no failure of it. The
                # repeat is harmless: a token is spent once, however often it is handed in.
                if not kept_alive:
                    raise
                self.connection.close()
                return replace(self.exchange(method, path, payload, headers), repeated=True)
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise NetworkError(repr(error)) from error

    def exchange(self, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> Answer:
        self.connection.request(method, path, payload, headers)
        response = self.connection.getresponse()
        text = response.read()
        retry_after = response.headers.get("Retry-After", "")
        policy, _, _ = response.headers.get("RateLimit", "").partition(";")
        return Answer(
            response.status,
            document(text),
            float(retry_after) if retry_after.isdecimal() else 1.0,
            policy.strip('"'),
        )


def document(text: bytes) -> dict[str, Any]:
    """The JSON object of a body; {} for any other body, such as a proxy's own error page."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
