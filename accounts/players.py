"""Players of a site that has its own users. The site's id of a player is unique within its provider.

`ext:42` names the player 42 of the caller's own provider, `ext:<provider>:42` that of another, wherever a user id is
taken; an id with a colon in it needs the long form. Writing is in accounts/sql/players.sql.
"""

import json
import unicodedata
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils.crypto import salted_hmac

from accounts import visibility
from accounts.attributes import stored, told
from accounts.models import PROVIDER, REGION, SITE, BannedPlayer, User, Value
from api.problems import Problem

MAX_ID = 255  # characters of a site's own id of a player
MARK = "ext:"

LOCK = "SELECT FROM users WHERE id = %s FOR NO KEY UPDATE"
MAKE = "SELECT players_make(%s::text[], %s::text[], %s::uuid[])"
DESCRIBE = """
SELECT players_describe(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::boolean[])
"""


@dataclass(frozen=True, slots=True)
class Reference:
    """`ext:…`; `provider` None: the caller's own."""

    provider: str | None
    external_id: str

    def __str__(self) -> str:
        return MARK + (f"{self.provider}:" if self.provider else "") + self.external_id


@dataclass(frozen=True, slots=True)
class Description:
    """How a player is to appear; None: as it is. An avatar or region of "" is none."""

    name: str | None = None
    avatar: str | None = None
    attributes: dict[str, Value] | None = None
    opted_out: bool | None = None

    def columns(self) -> tuple[str | None, str | None, str | None, str | None, bool | None]:
        """As the SQL functions take it: name, avatar, region, other attributes as JSON, opted_out."""
        region, others = stored(self.attributes or {})
        return self.name, self.avatar, region, json.dumps(others) if others else None, self.opted_out


def checked_id(text: str) -> str:
    """The text, if it can be a site's own id of something. Raises ValueError with a sentence.

    It stands in paths and logs: no control characters, and no dots alone, which a client takes out of a path.
    """
    if not 1 <= len(text) <= MAX_ID:
        raise ValueError(f"Expected 1 to {MAX_ID} characters.")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text) or text in (".", ".."):
        raise ValueError("Control characters, and dots alone, are no id.")
    return text


def checked_player(text: str) -> str:
    """The same for a player's id, which is given bare."""
    if text.casefold().startswith(MARK):
        raise ValueError(f"Give the site's own id alone, without `{MARK}`.")
    return checked_id(text)


def parse(text: str) -> uuid.UUID | Reference:
    """A user id as the API takes it: ours, or `ext:…`. Raises ValueError."""
    if not text.startswith(MARK):
        return uuid.UUID(text)
    first, colon, rest = text.removeprefix(MARK).partition(":")
    if not colon:
        return Reference(None, checked_id(first))
    if not PROVIDER.match(first):
        raise ValueError("That names no provider.")
    return Reference(first, checked_id(rest))


def find(reference: uuid.UUID | Reference, provider: str = SITE) -> uuid.UUID:
    """Our id; `provider` is the caller's own. Raises Problem not-found; one of our own form is not looked up."""
    if isinstance(reference, uuid.UUID):
        return reference
    return get(reference.provider or provider, reference.external_id).pk


def get(provider: str, player: str) -> User:
    """Raises Problem not-found."""
    found = User.objects.filter(provider=provider, external_id=player).first()
    if found is None:
        raise Problem("not-found", "There is no such player.")
    return found


def ensure(provider: str, player: str) -> uuid.UUID:
    """Our id of this player, who is made when seen for the first time. Raises Problem player-disabled for one who was
    banned and erased, not-found for one who is erased at this moment."""
    known = User.objects.filter(provider=provider, external_id=player).values_list("pk", flat=True)
    if found := known.first():
        return found
    if BannedPlayer.objects.filter(pk=digest(provider, player)).exists():
        raise Problem("player-disabled", "This player was banned here.")
    with connection.cursor() as cursor:
        cursor.execute(MAKE, [[provider], [player], [uuid.uuid4()]])
    made = known.first()
    if made is None:
        raise Problem("not-found", "The player was erased just now.")
    return made


def put(provider: str, player: str, description: Description) -> User:
    """The player with this description, made if there is none. Raises Problem player-disabled as `ensure`."""
    with transaction.atomic():
        user_id = ensure(provider, player)
        with connection.cursor() as cursor:
            cursor.execute(LOCK, [user_id])
            cursor.execute(DESCRIBE, [[user_id], *([column] for column in description.columns())])
            if cursor.fetchall():
                visibility.announce([user_id])
        return get(provider, player)


def page(provider: str, after: str, limit: int) -> list[User]:
    """The next players of this provider, in the order of their ids."""
    return list(User.objects.filter(provider=provider, external_id__gt=after).order_by("external_id")[:limit])


def digest(provider: str, player: str) -> str:
    """The keyed hash by which a banned player is remembered after an erasure."""
    return salted_hmac("accounts.players", f"{provider}\0{player}", algorithm="sha256").hexdigest()


def shown(user: User, *, private: bool) -> dict[str, Any]:
    """What a back end is told of one of its players; `private`: with the attributes that are not for every reader."""
    return {
        "player": user.external_id,
        "user_id": str(user.pk),
        "name": user.display_name or None,
        "avatar": user.avatar_url or None,
        "attributes": told({REGION: user.region or None} | user.attributes, private=private),
        "opted_out": user.opted_out,
        "hidden": user.is_hidden,
        "disabled": not user.is_active,
        "created_at": user.date_joined,
    }
