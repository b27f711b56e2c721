"""Who was refused, and why: handed to the audit log, which an app above sets when a server starts.

The caller is read off the request only when something is refused, so that an accepted request pays nothing for it.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

from django.http import HttpRequest
from django.utils.functional import LazyObject

from api.client_address import UNKNOWN, client_address


class Caller(NamedTuple):
    """Who asks, as far as credentials and the network tell. `address` is in clear: it is stored as a digest only."""

    user_id: uuid.UUID | None = None
    api_key: uuid.UUID | None = None
    address: str = UNKNOWN


@dataclass(frozen=True, slots=True)
class Refusal:
    """`kind` is a slug of `problems.KINDS`, `reason` says more exactly why, `detail` is the sentence the caller heard.

    `subject`: the user whom it concerns, if not the caller; `action_type`: of the action that was asked for.
    """

    kind: str
    reason: str
    detail: str
    caller: Caller
    subject: uuid.UUID | None
    action_type: str
    request_id: str


Recorder = Callable[[Refusal], None]
_recorder: Recorder | None = None
_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


def set_recorder(recorder: Recorder | None) -> None:
    """Called once by each server process. Without a recorder, as in a command, refusals are counted only."""
    global _recorder
    _recorder = recorder


def record(refusal: Refusal) -> None:
    """Never waits: the recorder writes it later."""
    if _recorder is not None:
        _recorder(refusal)


@contextmanager
def serving(request: HttpRequest) -> Iterator[None]:
    """While the block runs, this thread serves this request."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def current_caller() -> Caller:
    """Whom this thread serves; an unknown caller outside a request."""
    request = _request.get()
    if request is None:
        return Caller()
    user = user_of(request)
    pk = getattr(user, "pk", None) if getattr(user, "is_authenticated", False) else None
    back_end = getattr(user, "key", None) is not None
    return Caller(None if back_end else pk, pk if back_end else None, client_address(request))


def user_of(request: HttpRequest) -> object:
    """The user, as far as it is known by now: a refusal must not cost a look at the database.

    REST framework puts the user it has authenticated into the request, and AnonymousUser where it refused a session's.
    """
    user = vars(request).get("user")
    unknown = isinstance(user, LazyObject) or not getattr(user, "is_authenticated", False)
    return getattr(request, "_cached_user", None) if unknown else user
