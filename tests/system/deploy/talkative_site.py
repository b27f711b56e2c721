"""`web`, `live` and `worker` at their most talkative, and every secret that they and their clients know."""

import http.client
import json
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings

from api import redis_client
from config.settings import celery_url
from tests.support.processes import PATIENCE
from tests.support.redis_of_our_own import OwnRedis
from tests.support.worker import Worker
from tests.system.deploy.nginx import Web
from tests.system.live.server import Server, database_url

PASSWORD = "correct-horse-7391"
WRONG = "wrong-horse-8264"
DATABASE_PASSWORD = "database-horse-5502"
REDIS_PASSWORD = "redis-horse-6613"
TALKATIVE = {"LOG_LEVEL": "DEBUG", "LIMIT_SIGN_IN": "off", "LIMIT_SIGN_IN_ACCOUNT": "off", "QUEUE_RETRY_SECONDS": "0"}


class Site:
    """`web`, `live` and `worker`, and all that they and their clients know of secrets."""

    def __init__(self, folder: Path, redis: OwnRedis, log_format: str) -> None:
        self.secrets = {PASSWORD, WRONG, DATABASE_PASSWORD, REDIS_PASSWORD}
        connection: Any = redis_client.connection()
        connection.execute_command("ACL", "SETUSER", "site", "on", f">{REDIS_PASSWORD}", "~*", "&*", "+@all")
        self.redis_url = redis.url.replace("unix://", f"unix://site:{REDIS_PASSWORD}@")
        environment = {
            **TALKATIVE,
            "LOG_FORMAT": log_format,
            "DATABASE_URL": with_password(database_url()),
            "REDIS_URL": self.redis_url,
            "REDIS_KEY_PREFIX": settings.REDIS_KEY_PREFIX,
            "CELERY_BROKER_URL": celery_url(redis.url),
        }
        self.logs = [folder / f"{name}.log" for name in ("web", "live", "worker")]
        self.web = Web(self.logs[0], **environment)
        self.live = Server(self.logs[1], **environment)
        self.worker = Worker(self.logs[2], **environment)
        self.secrets.add(self.web.environment["SECRET_KEY"])

    def close(self) -> None:
        for process in (self.worker, self.live, self.web):
            process.close()

    def said(self) -> str:
        return "".join(log.read_text(errors="replace") for log in self.logs)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, http.client.HTTPMessage]:
        """(status, body, headers); a dict is sent as JSON, text as a form."""
        kind = "application/json" if isinstance(body, dict) else "application/x-www-form-urlencoded"
        raw = json.dumps(body) if isinstance(body, dict) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self.web.port, timeout=PATIENCE)) as call:
            call.request(method, path, raw, {"Content-Type": kind, **named})
            answer = call.getresponse()
            text = answer.read().decode()
        return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text, answer.headers

    def post(self, path: str, body: dict[str, Any], **headers: str) -> tuple[int, Any]:
        status, answer, _ = self.ask("POST", f"/api/v1/{path}", body, **headers)
        return status, answer


def with_password(url: str) -> str:
    """PostgreSQL here trusts every connection, so any password is taken."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:{DATABASE_PASSWORD}@{host}"))
