"""The same answer to every request: what the servers can do with nothing behind them."""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

ROW = {"rank": 1, "user_id": "0" * 36, "username": "A player", "score": 12345, "avatar": ""}
BODY = json.dumps({"success": True, "data": [ROW] * 10}).encode()
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY))), ("ETag", '"constant:1"')]


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", HEADERS)
    return [BODY]


async def asgi(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        return
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})
