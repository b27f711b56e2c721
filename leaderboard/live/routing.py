"""Routes of the push side."""

import asyncio
from contextlib import suppress
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.sessions import CookieMiddleware
from django.core.handlers.wsgi import WSGIRequest
from django.urls import path, re_path

from api.metrics_page import metrics_view
from api.wsgi_adapter import environ
from leaderboard.live.consumers import LiveConsumer
from leaderboard.live.hub import hub, stop
from leaderboard.live.stream import StreamConsumer
from leaderboard.live.top import Top
from leaderboard.live.transport import Receive, Scope, Send

KNOWN_SECONDS = 2.0  # for SQL to say which boards there are, before the first viewer comes


async def no_such_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuses the handshake: 403."""
    await receive()
    await send({"type": "websocket.close"})


def view(application: Any) -> Any:
    """Django's types expect a view where Channels' router takes an ASGI application."""
    return application


async def not_here(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, 404, b"There is nothing here but the live board.\n", "text/plain; charset=utf-8")


async def healthz(scope: Scope, receive: Receive, send: Send) -> None:
    """Whether this process's loop turns; in the words of `config.health`."""
    await answer(send, 200, b'{"status": "ok"}', "application/json")


async def metrics(scope: Scope, receive: Receive, send: Send) -> None:
    """In a thread: it asks PostgreSQL and Redis how the site is."""
    page = await asyncio.to_thread(metrics_view, WSGIRequest(environ(scope, b"")))
    await answer(send, page.status_code, page.content, page["Content-Type"])


async def answer(send: Send, status: int, body: bytes, content_type: str) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """The hub is there before the first viewer comes, and gone before the loop is."""
    while (await receive())["type"] == "lifespan.startup":
        with suppress(TimeoutError):
            async with asyncio.timeout(KNOWN_SECONDS):
                await hub().looked.wait()
        await send({"type": "lifespan.startup.complete"})
    await stop()
    await send({"type": "lifespan.shutdown.complete"})


def application(otherwise: Any = not_here) -> Any:
    """The live side as an ASGI application; `otherwise` answers every HTTP request that is not its own.

    Its attribute `top` answers without a task and messages: the server's connections ask it first (`http_protocol.py`).
    """
    top = Top(otherwise)
    http = {
        "api/v1/scoreboard/top": top,
        "api/v1/scoreboard/stream": CookieMiddleware(StreamConsumer.as_asgi()),
        "healthz": healthz,
        "metrics": metrics,
    }
    websocket = {"scoreboard/live": CookieMiddleware(LiveConsumer.as_asgi())}
    router = ProtocolTypeRouter(
        {
            "http": URLRouter([*routes(http), re_path(r"", view(otherwise))]),
            "websocket": URLRouter([*routes(websocket), re_path(r"", view(no_such_socket))]),
            "lifespan": lifespan,
        }
    )
    router.top = top
    return router


def routes(applications: dict[str, Any]) -> list[Any]:
    return [path(route, view(application)) for route, application in applications.items()]
