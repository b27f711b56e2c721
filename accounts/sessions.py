"""The session store: Django's, in PostgreSQL, which is asked about nothing that cannot be one of its keys.

A cookie may hold any character, NUL too, which PostgreSQL takes for a defect of ours.
"""

import re
import uuid
from typing import Any, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db

from accounts.models import Session

KEY = re.compile(r"[a-z0-9]{8,40}")


class SessionStore(db.SessionStore):
    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        row = cast(Session, super().create_model_instance(data))
        row.user_id = uuid.UUID(data[SESSION_KEY]) if SESSION_KEY in data else None
        return row

    def _validate_session_key(self, key: str | None) -> bool:
        return bool(key and KEY.fullmatch(key))
