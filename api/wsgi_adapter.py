"""A WSGI application as an ASGI one, so that one process serves pages, API, admin and the live side.

Why neither of the libraries for this: a2wsgi takes a thread as soon as a request's head is there, so that a slow
upload holds it, and crosses between the loop and the thread for every piece of a body and of an answer; asgiref's
WsgiToAsgi runs one request at a time. Here the loop has read the body before a thread is taken, and the thread hands
back the whole answer: one crossing each way, and neither a slow upload nor a slow reader holds a thread.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol
from urllib.parse import unquote_to_bytes

from structlog.contextvars import bind_contextvars

from api.parsers import MAX_AWARDS_BODY_BYTES
from api.problems import problem_response
from api.request_ids import accept_or_make

MAX_BODY = MAX_AWARDS_BODY_BYTES  # the largest that a call takes, and what nginx is told
LINGER_SECONDS = 2.0  # for a client that sends too much to read the refusal before the connection is cut
THREADS = 16  # each has a connection to PostgreSQL; fewer make smaller group commits
IN_MEMORY = 2**20  # bytes of an answer; the rest of a larger one goes to a temporary file
PIECE = 64 * 1024

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class Wsgi(Protocol):
    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any], /) -> Iterable[bytes]: ...


class TooLarge(Exception):
    """The body is larger than any call takes."""


class Disconnected(Exception):
    """The client left before its request was complete."""


class WsgiAdapter:
    def __init__(self, application: Wsgi) -> None:
        self.application = application
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="web")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(scope, receive)
        except Disconnected:
            return
        except TooLarge:
            await refuse(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        status, headers, answer = await loop.run_in_executor(self.threads, self.answer, environ(scope, body))
        with answer:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            left = answer.seek(0, 2)
            answer.seek(0)
            while left > PIECE:
                await send({"type": "http.response.body", "body": answer.read(PIECE), "more_body": True})
                left -= PIECE
            await send({"type": "http.response.body", "body": answer.read()})

    def answer(self, environ: dict[str, Any]) -> tuple[int, Headers, IO[bytes]]:
        """Status, headers and body; runs in a thread."""
        begun: tuple[int, Headers] = (500, [])

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            nonlocal begun
            begun = (
                int(status[:3]),
                [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            )

        body = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  (closed by who sends it)
        pieces = self.application(environ, start_response)
        try:
            body.writelines(pieces)
        finally:
            pieces.close()  # type: ignore[attr-defined]  # Django's always can
        return (*begun, body)


async def read_body(scope: Message, receive: Receive) -> bytes:
    """All of it. Raises TooLarge, before reading on, and Disconnected."""
    declared = header(scope, b"content-length") or b""
    if declared.isdigit() and int(declared[:20]) > MAX_BODY:
        raise TooLarge
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise TooLarge
        if not message.get("more_body", False):
            return bytes(body)


def header(scope: Message, wanted: bytes) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == wanted), None)


def environ(scope: Message, body: bytes) -> dict[str, Any]:
    """PEP 3333's environment of a request."""
    server, client = scope.get("server") or ("localhost", 80), scope.get("client") or ("", 0)
    result: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope.get("raw_path") or scope["path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 80),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name:  # would pass for the same name with "-", such as X-Forwarded-For's
            continue
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        if name not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):
            key = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
            result[key] = f"{result[key]},{value}" if key in result else value
    if body or scope["method"] not in ("GET", "HEAD", "OPTIONS"):
        result["CONTENT_LENGTH"] = str(len(body))
    return result


async def refuse(scope: Message, receive: Receive, send: Send) -> None:
    """413, and an end: what is still coming is thrown away for a moment, for a reset could overtake the answer."""
    request_id = accept_or_make((header(scope, b"x-request-id") or b"").decode("latin-1"))
    bind_contextvars(request_id=request_id)
    response = problem_response(
        "payload-too-large",
        f"The body may have at most {MAX_BODY} bytes.",
        headers={"X-Request-ID": request_id, "Connection": "close"},
    )
    response["Content-Length"] = str(len(response.content))
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content, "more_body": True})
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    await send({"type": "http.response.body", "body": b""})
