"""People of the tests: players with and without points, and what they hold in hand when they call the API."""

import itertools
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db.models import F
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from accounts import api_keys, attributes
from accounts.models import ApiKey, PlayerAttribute, SignIn, User
from actions import tokens
from actions.models import ActionToken
from actions.submission import Submission
from scoreboard import ledger
from scoreboard.ledger import Entry, Outcome
from scoreboard.models import ScoreHistory, UserScore

DAY = timedelta(days=1)
PASSWORD = "a long enough pass phrase"

_numbers = itertools.count(1)


def player(username: str = "", **fields: Any) -> User:
    """A new player who cannot sign in: hashing a password is slow on purpose, and few tests need one."""
    username = username or f"player-{next(_numbers)}-{uuid.uuid4().hex[:6]}"
    fields.setdefault("email", f"{uuid.uuid4().hex}@example.org")
    return User.objects.create(username=username, password=make_password(None), **fields)


def players(count: int) -> list[User]:
    """`count` new players, in one statement."""
    unusable = make_password(None)
    return User.objects.bulk_create(
        User(username=f"player-{uuid.uuid4().hex[:12]}", email=f"{uuid.uuid4().hex}@x.org", password=unusable)
        for _ in range(count)
    )


def bearer(user: User, lifetime: timedelta | None = None) -> dict[str, str]:
    """The header of a player who has signed in, whatever became of them since. `lifetime`: not the usual one."""
    return {"Authorization": f"Bearer {access_token(user, lifetime)}"}


def access_token(user: User, lifetime: timedelta | None = None) -> str:
    token, now = AccessToken(), timezone.now()
    if lifetime is not None:
        token.set_exp(lifetime=lifetime)
    token["sub"], token["sid"] = str(user.pk), str(uuid.uuid4())
    if User.objects.filter(pk=user.pk).exists():
        SignIn.objects.create(
            pk=token["sid"],
            user_id=user.pk,
            jti=uuid.uuid4().hex,
            created_at=now,
            last_used_at=now,
            expires_at=now + DAY,
        )
    return str(token)


def back_end() -> dict[str, str]:
    """The header of a back end that mints."""
    _, text = api_keys.issue("back end", [ApiKey.Scope.MINT], limit="off")
    return {"Authorization": f"Bearer {text}"}


def entry(user: User, delta: int = 0, *, target: int | None = None, action: uuid.UUID | None = None) -> Entry:
    """An adjustment under a fresh action id."""
    return Entry(
        user.pk, action or uuid.uuid4(), ScoreHistory.Source.ADJUSTMENT, delta=delta, target=target, reason="test"
    )


def site_key(*scopes: str, provider: str = "site", limit: str = "off", types: Sequence[str] = ()) -> dict[str, str]:
    """The header of a back end that awards, and looks after its players; or has these scopes."""
    _, text = api_keys.issue(
        "site", list(scopes) or ["award", "players"], limit=limit, provider=provider, action_types=types
    )
    return {"Authorization": f"Bearer {text}"}


def declare(name: str, kind: str = "text", **fields: Any) -> PlayerAttribute:
    """An attribute that this process knows of from now on."""
    attribute, _ = PlayerAttribute.objects.update_or_create(name=name, defaults={"kind": kind, **fields})
    attributes.read.cache_clear()
    return attribute


def give(user: User, delta: int = 0, *, target: int | None = None, announced: bool = True) -> Outcome:
    """Records one entry through the ledger and tells the board, unless the process "died" before it could."""
    [outcome] = ledger.record([entry(user, delta, target=target)])
    if announced:
        ledger.announce([outcome.standing])
    return outcome


def total(user: User) -> int:
    return UserScore.objects.get(user=user).total


def grow_older(by: timedelta, **which: Any) -> None:
    """Every token, or those that match, as if that much time had passed since it was minted."""
    times = ("issued_at", "not_before", "expires_at", "purge_after")
    ActionToken.objects.filter(**which).update(**{name: F(name) - by for name in times})


def submission(minted: tokens.Minted, **changes: Any) -> Submission:
    """What a client hands in for a freshly minted token."""
    values = {
        "action_id": minted.action_id,
        "action_type": minted.action_type,
        "action_token": minted.action_token,
        "timestamp": time.time(),
    }
    return Submission(**{**values, **changes})


def outcome(one: Submission) -> str:
    """What became of it: paid, or the kind of its refusal."""
    return "paid" if one.refusal is None else getattr(one.refusal, "kind", "invalid-request")


def update_body(minted: tokens.Minted, **changes: Any) -> dict[str, Any]:
    """The same as the JSON body of `POST /score/update`."""
    body = {
        "action_id": str(minted.action_id),
        "action_type": minted.action_type,
        "action_token": minted.action_token,
        "timestamp": time.time(),
    }
    return {**body, **changes}
