"""The element as tests see it, and a server of its own for those that need to say exactly what it hears."""

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.support.processes import PATIENCE, eventually

LIVE = "**/scoreboard/live**"
AGAIN = "Sign in again to see your place"
MILLISECONDS = PATIENCE * 1000  # as Playwright is told


def until(page: Page, condition: Callable[[], bool], what: str) -> None:
    """As `eventually`, for what Playwright's own events bring about: they arrive only while Playwright is called."""

    def holds() -> bool:
        page.wait_for_timeout(20)
        return condition()

    eventually(holds, what)


def stop_clock(page: Page) -> None:
    """From now on the page's installed clock moves only when the test says so."""
    page.clock.pause_at(page.evaluate("Date.now()") + 1_000)


def status(page: Page) -> Locator:
    return page.locator("live-leaderboard [part=status]")


def names(page: Page) -> Locator:
    """Who is shown, from the top; the viewer's own line below it included."""
    return page.locator("live-leaderboard [part=name]")


def line(page: Page, username: str) -> Locator:
    return page.locator("live-leaderboard tbody [part~=row]").filter(has_text=username)


def score(page: Page, username: str) -> Locator:
    return line(page, username).locator("[part=score] .n")


def open_board(page: Page) -> Page:
    page.goto("/")
    expect(status(page)).to_have_text("Live")
    return page


def row(rank: int, username: str, points: int, avatar: str | None = None) -> dict[str, Any]:
    return {"rank": rank, "user_id": f"id-{username}", "username": username, "score": points, "avatar": avatar}


class ScriptedLive:
    """Stands where `live` would: the page's WebSockets end here, and hear what the test says."""

    def __init__(self, page: Page, *, user_id: str | None = None) -> None:
        self.sockets: list[WebSocketRoute] = []
        self.heard: list[dict[str, Any]] = []
        self.closed = 0
        self.user_id = user_id
        self.accepts: str | None = None  # the user that every token is of; None: the test answers tokens itself
        page.route_web_socket(LIVE, self._accept)

    def _accept(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        socket.on_message(lambda text: self._hear(socket, json.loads(text)))
        socket.on_close(lambda code, reason: self._closed())
        self.say("connection_success", user_id=self.user_id)

    def _hear(self, socket: WebSocketRoute, message: dict[str, Any]) -> None:
        self.heard.append(message)
        if self.accepts and message["type"] == "authenticate":
            socket.send(json.dumps({"type": "connection_success", "board": "global", "user_id": self.accepts}))

    def _closed(self) -> None:
        self.closed += 1

    def say(self, kind: str, **members: Any) -> None:
        """One message on the newest connection."""
        self.sockets[-1].send(json.dumps({"type": kind, "board": "global", **members}))

    def show(
        self, *rows: dict[str, Any], seq: int, epoch: str = "e1", players: int | None = None, **members: Any
    ) -> None:
        total = len(rows) if players is None else players
        self.say("leaderboard_update", epoch=epoch, seq=seq, timestamp=0, players=total, top=list(rows), **members)
