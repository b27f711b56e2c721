"""Another site on another host: its page, its policy, its readers, and the address that gives their tokens."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COOKIE = "reader"


class Foreign(ThreadingHTTPServer):
    """Serves one page, with a script of its own, under one policy.

    `{site}` and `{socket}` in all three are the scoreboard's addresses. `/sign-in` is the page, too, and gives the
    visitor this site's cookie; `/board-token` answers with `token`, and only to that cookie.
    """

    def __init__(self, scoreboard: str, page: str, policy: str, *, script: str = "", port: int = 0) -> None:
        self.token: str | None = None
        self.asked = 0  # how often, for a token
        self.names = {"{site}": scoreboard, "{socket}": scoreboard.replace("http", "ws")}
        self.page = self.filled_in(page)
        self.policy = self.filled_in(policy)
        self.script = self.filled_in(script)
        super().__init__(("127.0.0.1", port), Handler)
        # Another host, not only another port: cookies know no ports.
        self.url = f"http://localhost:{self.server_address[1]}"

    def filled_in(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace(name, value)
        return text

    def token_for(self, cookies: str | None) -> str | None:
        self.asked += 1
        return self.token if COOKIE in SimpleCookie(cookies or "") else None


class Handler(BaseHTTPRequestHandler):
    server: Foreign

    def do_GET(self) -> None:
        kind, body = "text/html; charset=utf-8", self.server.page
        if self.path == "/board-token":
            kind, body = "application/json", json.dumps({"token": self.server.token_for(self.headers["Cookie"])})
        elif self.path == "/page.js":
            kind, body = "text/javascript", self.server.script
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", self.server.policy)
        if self.path == "/sign-in":
            self.send_header("Set-Cookie", f"{COOKIE}=42; HttpOnly; SameSite=Lax")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


@contextmanager
def serving(server: Foreign) -> Iterator[Foreign]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
