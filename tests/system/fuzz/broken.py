"""A site with every fault a fuzzer should see; what it takes for the checks to be worth something."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TRACEBACK = (
    'Traceback (most recent call last):\n  File "/srv/site/views.py", line 7, in get\n'
    'psycopg.errors.UniqueViolation: duplicate key value violates unique constraint "users_username_key"\n'
)


class Broken(BaseHTTPRequestHandler):
    """Says yes to every client, or breaks down with a traceback. `Server` names the language it is made of."""

    protocol_version = "HTTP/1.1"
    turns = itertools.count()

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if next(self.turns) % 2:
            self.say(500, TRACEBACK, "text/plain")
        else:
            self.say(200, '{"success": "perhaps"}', "application/json")

    do_POST = do_PUT = do_DELETE = do_PATCH = do_TRACE = do_OPTIONS = do_GET

    def say(self, status: int, text: str, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def broken_site() -> Iterator[str]:
    """Its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
