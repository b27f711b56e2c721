"""LOCAL_ACCOUNTS: whether players have accounts of their own here, or come from the sites they play on alone.

Off: `/auth/*` is refused, its pages are not there, and no password, session or token signs a player in. Staff enter the
admin site, and have the pages of their own account.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from accounts.models import User
from api.problems import Problem

NONE_HERE = "This site keeps no accounts of its own: players sign in at the site they play on."


def on() -> bool:
    return bool(settings.LOCAL_ACCOUNTS == "on")


def demand() -> None:
    """Raises Problem forbidden while they are off."""
    if not on():
        raise Problem("forbidden", NONE_HERE, reason="no-accounts")


def admits(user: User) -> bool:
    """Whether this account may be signed in to."""
    return on() or user.earns_nothing


def page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page of accounts: 404 while they are off, but to staff who are signed in."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not on() and not request.user.is_authenticated:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded
