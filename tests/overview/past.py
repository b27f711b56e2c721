"""A history of chosen times, and an overview that remembers nothing of another test."""

import uuid
from collections.abc import Iterator
from datetime import datetime

import pytest
from django.db import connection

from accounts.models import User
from overview import figures

ROW = """
INSERT INTO score_history (user_id, action_id, source, action_type, delta, old_total, new_total, version, reason,
                           request_id, created_at)
VALUES (%s, %s, %s, %s, %s, 0, %s, 0, '', '', %s)
"""


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    figures.lately.value = None
    yield
    figures.lately.value = None


def scored(
    user: User, at: datetime, points: int, *, source: str = "action", kind: str = "QUIZ", key: uuid.UUID | None = None
) -> None:
    """One entry at that time, as the ledger would have written it then; an award, when a key told of it."""
    action = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(ROW, [user.pk, action, "award" if key else source, kind, points, points, at])
        if key:
            cursor.execute(
                "INSERT INTO awards (action_id, provider, key, external_id, user_id, action_type, issued_by,"
                " created_at) VALUES (%s, 'site', %s, '', %s, %s, %s, %s)",
                [action, action.bytes, user.pk, kind, key, at],
            )
