"""Who calls the fuzzed API, and what each has in hand."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken

from accounts import api_keys, sign_in, visibility
from accounts.models import ApiKey, User
from actions.models import ActionType
from tests.support.people import PASSWORD, give, players

LONG = timedelta(hours=3)  # a token must outlive the run


@dataclass(frozen=True)
class Caller:
    """`tags`: the calls whose answer depends on its kind of credentials. `plays`: a player's id; `key` mints."""

    name: str
    tags: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    plays: str = ""
    key: dict[str, str] = field(default_factory=dict)
    back_end: bool = False


# By caller, the calls that are there for it; and those whose answer depends on its kind of credentials, too.
TAGS = {
    "anyone": ("accounts", "board"),
    "player": ("actions",),
    "moderator": ("moderation",),
    "back end": ("awards", "players", "boards"),
}
OTHER_TAGS = {"player": ("board", "moderation"), "back end": ("actions",), "session": ("actions",)}


def populate() -> list[str]:
    """Players with points, some hidden or disabled, and an action type whose points a back end chooses; their ids."""
    crowd = players(20)
    for number, user in enumerate(crowd[:15]):
        give(user, 10 * number + 1)
    visibility.set_hidden([user.pk for user in crowd[:2]], hidden=True)
    crowd[2].is_active = False
    visibility.save_profile(crowd[2], ["is_active"])
    anything = {"points": 1, "min_points": 1, "max_points": 1_000_000, "approved_points": 1_000_000}
    ActionType.objects.create(slug="ANY_POINTS", title="Any", **anything)
    return [str(user.pk) for user in crowd]


def callers(tags: Mapping[str, tuple[str, ...]]) -> list[Caller]:
    """Those that are named there, for these calls."""
    player = User.objects.create_user("fuzz-player", "player@example.org", PASSWORD)
    moderator = User.objects.create_user("fuzz-moderator", "moderator@example.org", PASSWORD)
    moderator.user_permissions.add(*Permission.objects.filter(codename__in=["give_bonus", "view_any_history"]))
    _, key = api_keys.issue("fuzz", list(ApiKey.Scope), limit="off")
    by_key = {"X-API-Key": key}
    everybody = [
        Caller("anyone"),
        Caller("player", headers=bearer(player), plays=str(player.pk), key=by_key),
        Caller("moderator", headers=bearer(moderator)),
        Caller("back end", headers=by_key, back_end=True),
        Caller("session", headers=session(player), plays=str(player.pk), key=by_key),
    ]
    return [replace(caller, tags=tags[caller.name]) for caller in everybody if caller.name in tags]


def bearer(user: User) -> dict[str, str]:
    token = AccessToken(sign_in.start(user)["access"])  # type: ignore[arg-type]
    token.set_exp(lifetime=LONG)
    return {"Authorization": f"Bearer {token}"}


def session(user: User) -> dict[str, str]:
    """The cookies of a browser in which this player has signed in, and the header a page of the site sends."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    client.get("/accounts/sign-up")
    csrf = client.cookies[settings.CSRF_COOKIE_NAME].value if settings.CSRF_COOKIE_NAME in client.cookies else "x" * 32
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    return {"Cookie": f"{cookie}; {settings.CSRF_COOKIE_NAME}={csrf}", "X-CSRFToken": csrf}


def described(caller: Caller, url: str, user_ids: list[str]) -> str:
    """FUZZ_SITE for the hooks of tests/system/fuzz/honest.py."""
    site: dict[str, Any] = {
        "url": url,
        "headers": caller.headers,
        "plays": caller.plays,
        "key": caller.key,
        "back_end": caller.back_end,
        "user_ids": user_ids,
        "username": "fuzz-player",
        "password": PASSWORD,
        "secrets": [settings.SECRET_KEY, settings.DATABASES["default"]["NAME"]],
    }
    return json.dumps(site)
