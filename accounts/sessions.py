"""The session store: Django's, in PostgreSQL, which is asked about nothing that cannot be one of its keys.

A cookie may hold any character, NUL too, which PostgreSQL takes for a defect of ours.
"""

import re

from django.contrib.sessions.backends import db

KEY = re.compile(r"[a-z0-9]{8,40}")


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str | None) -> bool:
        return bool(key and KEY.fullmatch(key))
