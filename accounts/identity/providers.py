"""The list of identity providers, and who is behind what a token of one of them proves."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from django.db.models import Exists

from accounts import api_keys, players
from accounts.identity.issuers import issued_tokens
from accounts.identity.proofs import BadToken, Proof, Provider
from accounts.identity.sign_ins import SignInTokens, going_on
from accounts.identity.viewer_tokens import ViewerTokens
from accounts.models import SITE, User
from accounts.players import Reference
from api.problems import Problem

MAX_TOKEN = 4096  # characters


def providers() -> Sequence[Provider]:
    """In the order in which they are asked."""
    return (*issued_tokens(), ViewerTokens(), SignInTokens())


def prove(raw: object, *, wait: bool = True) -> Proof:
    """What this token proves, without a look at the database. `wait`: whether the call may block.

    Raises BadToken; KeysOutOfReach.
    """
    if not isinstance(raw, str) or len(raw) > MAX_TOKEN:
        raise BadToken(f"The token must be a string of at most {MAX_TOKEN} characters.")
    said = unverified(raw)
    for provider in providers():
        if (proof := provider.read(raw, said, wait=wait)) is not None:
            return proof
    raise BadToken("The token is bad or expired.")


def unverified(raw: str) -> dict[str, Any]:
    """The claims of a token, to tell whose it says it is; {} of what is no token."""
    payload = raw.split(".")[1:2]
    try:
        said = json.loads(base64.urlsafe_b64decode(payload[0] + "==")) if payload else {}
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def user(proof: Proof) -> User:
    """Who is behind it, in one query; a player of a site who is seen for the first time is made.

    Raises Problem not-authenticated for a user who is disabled or gone, a sign-in that has ended, and a key that was
    revoked.
    """
    if proof.player is not None:
        found = of_site(proof.player)
    elif proof.user_id is not None and proof.sign_in is not None:
        found = going_on(proof.user_id, proof.sign_in).first()
    elif proof.user_id is None or proof.api_key is None:
        raise AssertionError("a proof names a player, and what has to go on")
    else:
        key = api_keys.usable().filter(pk=proof.api_key)
        found = User.objects.filter(Exists(key), pk=proof.user_id, is_active=True, role=User.Role.PLAYER).first()
    if found is None:
        said = "The sign-in has ended, or the user is disabled or gone."
        raise Problem("not-authenticated", said, reason="sign-in-ended", subject=proof.user_id)
    return found


def of_site(named: Reference) -> User | None:
    """The active player; None for one who is disabled, or was banned and erased."""
    provider, external_id = named.provider or SITE, named.external_id
    found = User.objects.filter(provider=provider, external_id=external_id).first()
    if found is None:
        try:
            found = User.objects.get(pk=players.ensure(provider, external_id))
        except Problem:
            return None
    return found if found.is_active else None
