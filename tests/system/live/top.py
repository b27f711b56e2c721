"""`GET /scoreboard/top` asked of the application in this process, without a server."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from django.core.wsgi import get_wsgi_application
from django.db import connections

from api.wsgi_adapter import WsgiAdapter
from leaderboard import snapshots
from leaderboard.live import hub

ADDRESS = "192.0.2.7"
Answer = tuple[int, dict[str, str], bytes]
T = TypeVar("T")


def run_with_hub(work: Coroutine[Any, Any, T]) -> T:
    """In a loop of its own, whose hub is ended in order: one that is only cancelled may not end."""

    async def then_stop() -> T:
        try:
            return await work
        finally:
            await hub.stop()

    return asyncio.run(then_stop())


class Django:
    """The site inside, and how often it was asked."""

    def __init__(self) -> None:
        self.django = get_wsgi_application()
        self.site = WsgiAdapter(self.answer)
        self.asked = 0

    def answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        """The adapter's threads go with the test, and their connections with them."""
        try:
            return self.django(environ, start_response)
        finally:
            connections.close_all()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        await self.site(scope, receive, send)


async def ask(app: Any, query: str = "", method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
    """Status, headers, body. `If_None_Match="…"` is a header."""
    lines = {"Host": "localhost", **headers, **({"Content-Length": str(len(body))} if body else {})}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/api/v1/scoreboard/top",
        "raw_path": b"/api/v1/scoreboard/top",
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in lines.items()],
        "client": (ADDRESS, 4711),
        "server": ("127.0.0.1", 80),
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    assert len(named) == len(start["headers"])
    return start["status"], named, b"".join(message["body"] for message in rest)


def etag(copy: snapshots.Snapshot) -> str:
    return f'"{copy.page.epoch}:{copy.page.seq}"'
