"""The site's settings under test: a home, a secret and a Redis key prefix that no other run has.

In the environment, so that the processes which tests start share them.
"""

import os
import secrets
import tempfile
import uuid
from pathlib import Path

_home = tempfile.TemporaryDirectory(prefix="scoreboard-test-")
(Path(_home.name) / "static").mkdir()
os.environ["SCOREBOARD_HOME"] = _home.name
os.environ["REDIS_KEY_PREFIX"] = f"{os.environ.get('REDIS_KEY_PREFIX', '')}test-{uuid.uuid4().hex[:12]}:"
os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
# Those processes run the site as it is, not this module, which would make up yet another prefix.
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"

os.environ.setdefault("SIGN_UP", "open")

from config import settings as site  # noqa: E402
from config.settings import *  # noqa: E402, F403

# What a request is allowed to wait for, a test on a busy machine is not failed for. The processes that tests start
# have the site's own bounds, and so has `own_redis`.
site.CACHES["default"]["OPTIONS"].update(SOCKET_TIMEOUT=20, SOCKET_CONNECT_TIMEOUT=20)
site.DATABASES["default"]["OPTIONS"].update(
    connect_timeout=60,
    options="-c statement_timeout=120s -c lock_timeout=60s -c idle_in_transaction_session_timeout=300s",
)
