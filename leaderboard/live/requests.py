"""What a live request asks for, read from its ASGI scope: the same for WebSocket and SSE."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from api.problems import Problem
from leaderboard import boards
from leaderboard.boards import Board
from leaderboard.live.wires import Scope

LIMIT = re.compile(r"[1-9][0-9]{0,2}")
DEFAULT_LIMIT = 10
MAX_FIELDS = 20


@dataclass
class LiveRequest:
    """The parts of a scope that the live side looks at. `headers` has the last value of each name."""

    scope: Scope
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.scope["headers"]}

    def query(self) -> tuple[Board, int]:
        """(board, limit). Raises Problem invalid-request, not-found. Unknown parameters are ignored."""
        try:
            pairs = parse_qsl(
                self.scope["query_string"].decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=MAX_FIELDS,
            )
        except ValueError as error:
            raise invalid("query", "Not readable.") from error
        asked: dict[str, str] = {}
        for name, value in pairs:
            if name in asked and name in ("board", "limit"):
                raise invalid(name, "Given more than once.")
            asked[name] = value
        limit = asked.get("limit", str(DEFAULT_LIMIT))
        if not LIMIT.fullmatch(limit) or int(limit) > boards.VISIBLE_TOP:
            raise invalid("limit", f"Expected a whole number from 1 to {boards.VISIBLE_TOP}.")
        return boards.get(asked.get("board", "global")), int(limit)

    @cached_property
    def origin(self) -> str | None:
        """The page's origin as its browser states it; None from what is not a browser's cross-origin request."""
        return self.headers.get("origin")

    @cached_property
    def own_origin(self) -> bool:
        """Whether the page is one of the site's own.

        Compared with Host, which a page cannot choose; Host itself must be one of ours, or a name that someone else
        made point here would pass.
        """
        if self.origin is None:
            return False
        if self.origin in settings.CSRF_TRUSTED_ORIGINS:
            return True
        host = self.headers.get("host", "")
        domain, _ = split_domain_port(host)
        allowed = settings.ALLOWED_HOSTS or (["localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
        try:
            netloc = urlsplit(self.origin).netloc
        except ValueError:
            return False
        return bool(domain) and netloc.lower() == host.lower() and validate_host(domain, allowed)

    @property
    def origin_allowed(self) -> bool:
        """Own pages, the listed ones, and while the board is public any, if the list says so."""
        if self.origin is None or self.own_origin or self.origin in settings.LEADERBOARD_ORIGINS:
            return True
        return anyone()

    def cookie(self, name: str) -> str | None:
        raw = self.headers.get("cookie")
        if not raw:
            return None
        try:
            morsel = SimpleCookie(raw).get(name)
        except CookieError:
            return None
        return morsel.value if morsel else None


def anyone() -> bool:
    """Whether pages of any origin may connect."""
    return bool(settings.LEADERBOARD_PUBLIC and "*" in settings.LEADERBOARD_ORIGINS)


def invalid(name: str, sentence: str) -> Problem:
    return Problem("invalid-request", "See `errors`.", extra={"errors": {name: [sentence]}})
