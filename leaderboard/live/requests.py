"""What a live request asks for, read from its ASGI scope: the same for WebSocket and SSE."""

from collections.abc import Sequence
from functools import cached_property
from urllib.parse import parse_qs, urlparse

from channels.security.websocket import OriginValidator
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from rest_framework.exceptions import ValidationError

from api.problems import invalid_request
from api.query import parse
from leaderboard import boards
from leaderboard.boards import Board
from leaderboard.live.transport import Scope
from leaderboard.serializers import LiveQuery

MAX_FIELDS = 20


class LiveRequest:
    """The parts of a scope that the live side looks at. `headers` has the last value of each name."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        # The page's origin as its browser states it; None from what is not a browser's cross-origin request.
        self.origin = self.headers.get("origin")

    def query(self) -> tuple[Board, str | None, int]:
        """(board, the period asked for, limit). Raises Problem invalid-request, not-found."""
        try:
            given = parse_qs(
                self.scope["query_string"].decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=MAX_FIELDS,
            )
            asked = parse(LiveQuery, given)
        except ValueError as error:
            raise invalid_request(ValidationError({"query": ["Not readable."]})) from error
        except ValidationError as error:
            raise invalid_request(error) from error
        return boards.shown(asked["board"], asked["period"]), asked["period"], asked["limit"]

    @cached_property
    def own_origin(self) -> bool:
        """Whether the page is one of the site's own.

        Compared with Host, which a page cannot choose; Host itself must be one of ours, or a name that someone else
        made point here would pass.
        """
        host = self.headers.get("host", "")
        domain, _ = split_domain_port(host)
        allowed = settings.ALLOWED_HOSTS or (["localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
        ours = [f"http://{host}", f"https://{host}"] if domain and validate_host(domain, allowed) else []
        return self._from_one_of([*settings.CSRF_TRUSTED_ORIGINS, *ours])

    @property
    def origin_allowed(self) -> bool:
        """Own pages, the listed ones, and while the board is public any, if the list says so."""
        if self.origin is None or anyone() or self.own_origin:
            return True
        return self._from_one_of([origin for origin in settings.LEADERBOARD_ORIGINS if origin != "*"])

    def _from_one_of(self, origins: Sequence[str]) -> bool:
        if self.origin is None:
            return False
        try:
            return bool(OriginValidator(None, origins).valid_origin(urlparse(self.origin)))
        except ValueError:  # an origin that is no URL
            return False

    @property
    def session(self) -> str | None:
        """The value of the site's session cookie."""
        value: str | None = self.scope["cookies"].get(settings.SESSION_COOKIE_NAME)
        return value


def anyone() -> bool:
    """Whether pages of any origin may connect."""
    return bool(settings.LEADERBOARD_PUBLIC and "*" in settings.LEADERBOARD_ORIGINS)
