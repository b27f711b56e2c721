"""Admission: is it a token of ours, for this player, at this time? Spending it is the part of redemption."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from django.conf import settings
from rest_framework.exceptions import ValidationError

from actions import allowances, catalog, tokens
from actions.models import ActionToken
from actions.submission import Submission
from api.problems import Problem


def admit(user_id: uuid.UUID, submissions: Sequence[Submission]) -> list[Submission]:
    """Gives each submission its claims or its refusal: 400 for its timestamp, 403 token-invalid. Returns the admitted.

    A separate signer's token is charged to the player's allowances, 429, the first time it is seen. What was refused
    before (malformed) stays so.
    """
    for one in submissions:
        if one.refusal is None:
            examine(user_id, one)
    separate = [one.claims for one in submissions if one.claims and one.claims.separate]
    charged = known([claims.action_id for claims in separate])
    for one in submissions:
        if one.claims and one.claims.separate and one.claims.action_id not in charged:
            charge_late(user_id, one)
            if one.refusal is None:
                charged.add(one.claims.action_id)
    return [one for one in submissions if one.refusal is None]


def examine(user_id: uuid.UUID, one: Submission) -> None:
    """Takes the token's claims, if the body, the caller and the clock agree with them."""
    window = settings.ACTION_TIMESTAMP_WINDOW
    if abs(one.timestamp - datetime.now(UTC).timestamp()) > window:
        return one.refuse(ValidationError({"timestamp": [f"More than {window} s away from the server's clock."]}))
    try:
        claims = tokens.verify(one.action_token)
    except Problem as refusal:
        return one.refuse(refusal)
    if claims.user_id != user_id:
        foreign = tokens.invalid("it was issued to another user")
        foreign.subject = claims.user_id
        return one.refuse(foreign)
    if (claims.action_id, claims.action_type) != (one.action_id, one.action_type):
        return one.refuse(tokens.invalid("it was issued for another action"))
    one.claims = claims


def charge_late(user_id: uuid.UUID, one: Submission) -> None:
    """Charges a token that was signed elsewhere, where it could not be charged."""
    try:
        allowances.charge_mint(user_id, catalog.find(one.action_type))
    except Problem as refusal:
        not_offered = refusal.kind == "not-found"
        one.refuse(tokens.invalid("its action type is not offered") if not_offered else refusal)


def known(action_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Which of these tokens have a row: they were charged with it, and a repeat must hear the first outcome."""
    return set(ActionToken.objects.filter(pk__in=action_ids).values_list("pk", flat=True)) if action_ids else set()
