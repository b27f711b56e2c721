"""The HTTP API as a client sees it, and what every failure of it has to look like."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from api.problems import KINDS
from tests.people import bearer

TOP = "/api/v1/scoreboard/top"
UPDATE = "/api/v1/score/update"
MINT = "/api/v1/action/token"


class Api:
    """JSON in and out, signed in as `user` when one is given; exceptions become the 500 they would be."""

    def __init__(self) -> None:
        self.client = Client(raise_request_exception=False)

    def get(self, path: str, user: User | None = None, headers: dict[str, str] | None = None) -> Any:
        return self.client.get(path, headers={**(bearer(user) if user else {}), **(headers or {})})

    def post(self, path: str, body: Any, user: User | None = None, headers: dict[str, str] | None = None) -> Any:
        """`body` as JSON, or the very bytes if it is bytes."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", path, raw, user, headers=headers)

    def send(
        self,
        method: str,
        path: str,
        raw: bytes,
        user: User | None = None,
        *,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Any:
        merged = {**(bearer(user) if user else {}), **(headers or {})}
        return self.client.generic(method, path, raw, content_type=content_type, headers=merged)


def assert_problem(response: HttpResponse, kind: str) -> dict[str, Any]:
    """The response is the problem document of this kind, complete, and gives nothing away; returns it."""
    status, title = KINDS[kind]
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json"), (
        response.status_code,
        response.content[:500],
    )
    document: dict[str, Any] = json.loads(response.content)
    assert document["type"] == f"/problems/{kind}"
    assert document["title"] == title
    assert document["status"] == status
    assert document["detail"]
    assert isinstance(document["detail"], str)
    assert document["request_id"] == response["X-Request-ID"] != ""
    for giveaway in ("Traceback", "psycopg", "site-packages", "django.", 'File "'):
        assert giveaway not in response.content.decode()
    return document


def assert_refused(response: HttpResponse) -> dict[str, Any]:
    """The response is some complete problem document of the 4xx range, with `errors` or a sentence; returns it."""
    assert 400 <= response.status_code < 500, (response.status_code, response.content[:500])
    kind = json.loads(response.content)["type"].removeprefix("/problems/")
    document = assert_problem(response, kind)
    for field, sentences in document.get("errors", {}).items():
        assert field
        assert sentences
        assert all(isinstance(sentence, str) for sentence in sentences)
    return document
