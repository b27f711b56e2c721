"""Who a viewer is: a JWT, believed for as long as it lasts, or the site's own session.

Nobody without a session cookie costs a query; a session costs one look, in a thread that nothing else waits for.
"""

import asyncio
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.http import HttpRequest
from django.utils.module_loading import import_string
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError

from accounts.authentication import StatelessJWTAuthentication
from leaderboard.live.requests import LiveRequest

log = structlog.get_logger(__name__)

MAX_TOKEN = 4096  # characters

_sessions = ThreadPoolExecutor(max_workers=1, thread_name_prefix="session")


class NotAuthenticated(Exception):
    """Credentials were given and are not valid; the message says what is wrong with them."""


class Unknown(Exception):
    """The session cannot be looked up just now."""


@dataclass(frozen=True, slots=True)
class Identity:
    """`until`: Unix seconds after which it must be proved again."""

    user_id: str
    until: float


def from_token(raw: object) -> Identity:
    """The subject of an access token. Raises NotAuthenticated."""
    if not isinstance(raw, str) or len(raw) > MAX_TOKEN:
        raise NotAuthenticated(f"The token must be a string of at most {MAX_TOKEN} characters.")
    try:
        token = StatelessJWTAuthentication().get_validated_token(raw.encode())
        return Identity(str(uuid.UUID(str(token["sub"]))), float(token["exp"]))
    except (InvalidToken, TokenError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise NotAuthenticated("The token is bad or expired.") from error


def token_in_header(request: LiveRequest) -> str | None:
    """What follows `Authorization: Bearer`. Raises NotAuthenticated if the header is something else."""
    value = request.headers.get("authorization")
    if value is None:
        return None
    scheme, _, token = value.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("Expected `Authorization: Bearer <JWT>`.")
    return token.strip()


def session_key(request: LiveRequest, *, same_origin: bool) -> str | None:
    """The session cookie, if the request comes from the site's own page: a foreign one must not act as the visitor."""
    return request.cookie(settings.SESSION_COOKIE_NAME) if same_origin else None


async def from_session(key: str) -> Identity | None:
    """Whose session this is; None if it is nobody's. Raises Unknown when PostgreSQL is away."""
    loop = asyncio.get_running_loop()
    try:
        user_id = await loop.run_in_executor(_sessions, _session_user, key)
    except DatabaseError as error:
        log.warning("live_session_unknown", error=str(error).strip())
        raise Unknown from error
    if user_id is None:
        return None
    # As long as an access token: after that a sign-out or a ban has reached the live connections as well.
    lifetime = settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"].total_seconds()
    return Identity(user_id, time.time() + lifetime)


def _session_user(key: str) -> str | None:
    """As Django's own middlewares do it, session hash and disabled users included."""
    close_old_connections()
    store: type[SessionBase] = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    request = HttpRequest()
    request.session = store(key)
    user = get_user(request)
    return str(user.pk) if user.is_authenticated else None
