"""JSON over HTTP, a connection for each call: players act seldom, and an idle connection would occupy the site."""

import http.client
import json
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 15.0  # seconds; longer than any answer the server means to give


class NetworkError(Exception):
    """No whole answer came: whether the server did what was asked is unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `retry_after`: seconds; `policy`: the limit that a 429 names."""

    status: int
    body: dict[str, Any]
    retry_after: float
    policy: str

    @property
    def reason(self) -> str:
        """The problem slug of a failure."""
        return str(self.body.get("type", f"http-{self.status}")).removeprefix("/problems/")

    @property
    def data(self) -> Any:
        return self.body["data"]


def call(url: str, method: str, path: str, body: dict[str, Any] | None = None, access: str = "") -> Answer:
    """One request to the site at `url`, an http or https origin. Raises NetworkError."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Accept": "application/json"}
    payload = None
    if body is not None:
        payload = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    if access:
        headers["Authorization"] = f"Bearer {access}"
    with closing(kind(parts.hostname or "", parts.port, timeout=TIMEOUT)) as connection:
        try:
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NetworkError(repr(error)) from error
    retry_after = response.headers.get("Retry-After", "")
    policy, _, _ = response.headers.get("RateLimit", "").partition(";")
    seconds = float(retry_after) if retry_after.isdecimal() else 1.0
    return Answer(response.status, document(text), seconds, policy.strip('"'))


def document(text: bytes) -> dict[str, Any]:
    """The JSON object of a body; {} for any other body, such as a proxy's own error page."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
