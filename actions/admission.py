"""Admission: is it a token of ours, for this player, at this time? Spending it is the part of redemption."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from django.conf import settings
from rest_framework.exceptions import ValidationError

from actions import tokens
from actions.submission import Submission
from api.problems import Problem


def admit(user_id: uuid.UUID, submissions: Sequence[Submission]) -> list[Submission]:
    """Gives each submission its claims or its refusal: 400 for its timestamp, 403 token-invalid. Returns the admitted.

    What was refused before (malformed) stays so.
    """
    for one in submissions:
        if one.refusal is None:
            examine(user_id, one)
    return [one for one in submissions if one.refusal is None]


def examine(user_id: uuid.UUID, one: Submission) -> None:
    """Takes the token's claims, if the body, the caller and the clock agree with them."""
    window = settings.ACTION_TIMESTAMP_WINDOW
    if abs(one.timestamp - datetime.now(UTC).timestamp()) > window:
        sentence = f"Expected seconds since 1970, within {window} s of the server's clock."
        return one.refuse(ValidationError({"timestamp": [sentence]}))
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
