"""Admission: is it a token of ours, for this player, at this time? Spending it is the part of redemption."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from rest_framework.exceptions import ValidationError

from actions import allowances, catalog, tokens
from actions.models import ActionToken
from api.problems import Problem
from scoreboard.metrics import SCORE_INCREMENT_FAILURES


@dataclass(frozen=True, slots=True)
class Submission:
    """What a client hands in: the body of `POST /score/update`. `timestamp` is Unix seconds."""

    action_id: uuid.UUID
    action_type: str
    action_token: str
    timestamp: float


Refusal = Problem | ValidationError
Admitted = tokens.Claims | Refusal


def admit(user_id: uuid.UUID, submissions: Sequence[Submission]) -> list[Admitted]:
    """The claims of each submission, or why it is refused, in their order: 400 for its timestamp, 403 token-invalid.

    A separate signer's token is charged to the player's allowances, 429, the first time it is seen.
    """
    admitted: list[Admitted] = [examined(user_id, submission) for submission in submissions]
    charged = known(one.action_id for one in admitted if isinstance(one, tokens.Claims) and one.separate)
    for position, one in enumerate(admitted):
        if isinstance(one, tokens.Claims) and one.separate and one.action_id not in charged:
            refusal = charge_late(user_id, one.action_type)
            if refusal is None:
                charged.add(one.action_id)
            else:
                admitted[position] = refusal
    for one in admitted:
        if not isinstance(one, tokens.Claims):
            SCORE_INCREMENT_FAILURES.labels(getattr(one, "kind", "invalid-request")).inc()
    return admitted


def examined(user_id: uuid.UUID, submission: Submission) -> Admitted:
    """The token's claims, if the body, the caller and the clock agree with them."""
    window = settings.ACTION_TIMESTAMP_WINDOW
    if abs(submission.timestamp - datetime.now(UTC).timestamp()) > window:
        return ValidationError({"timestamp": [f"More than {window} s away from the server's clock."]})
    try:
        claims = tokens.verify(submission.action_token)
    except Problem as refusal:
        return refusal
    if claims.user_id != user_id:
        return tokens.invalid("it was issued to another user")
    if (claims.action_id, claims.action_type) != (submission.action_id, submission.action_type):
        return tokens.invalid("it was issued for another action")
    return claims


def charge_late(user_id: uuid.UUID, slug: str) -> Problem | None:
    """Charges a token that was signed elsewhere, where nobody could; why it is refused, if it is."""
    try:
        allowances.charge_mint(user_id, catalog.find(slug))
    except Problem as refusal:
        return tokens.invalid("its action type is not offered") if refusal.kind == "not-found" else refusal
    return None


def known(action_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Which of these tokens have a row: they were charged with it, and a repeat must hear the first outcome."""
    ids = list(action_ids)
    return set(ActionToken.objects.filter(pk__in=ids).values_list("pk", flat=True)) if ids else set()
