"""Real servers at their most talkative, calls that succeed, fail and crash: and no secret in anything they print."""

import http.client
import json
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import pytest
from django.db import connection

from actions.models import QueuedWork
from api import redis_client
from config.settings import celery_url
from leaderboard import boards, rebuild
from leaderboard.boards import Board
from scoreboard import api_keys
from scoreboard.models import User
from tests.deploy.nginx import Web
from tests.faults.redis_of_our_own import OwnRedis
from tests.live.clients import viewer
from tests.live.server import Server, database_url, eventually
from tests.worker import Worker

PASSWORD = "correct-horse-7391"
WRONG = "wrong-horse-8264"
DATABASE_PASSWORD = "database-horse-5502"
REDIS_PASSWORD = "redis-horse-6613"
TALKATIVE = {"LOG_LEVEL": "DEBUG", "LIMIT_SIGN_IN": "off", "LIMIT_SIGN_IN_ACCOUNT": "off", "QUEUE_RETRY_SECONDS": "0"}


@pytest.fixture
def board(transactional_db: None, own_redis: OwnRedis, redis_of_its_own: None, catalogue: None) -> Board:
    board = boards.get("global")
    assert rebuild.rebuild(board)
    return board


class Site:
    """`web`, `live` and `worker`, and all that they and their clients know of secrets."""

    def __init__(self, folder: Path, redis: OwnRedis, log_format: str) -> None:
        self.secrets = {PASSWORD, WRONG, DATABASE_PASSWORD, REDIS_PASSWORD}
        settings: Any = redis_client.connection()
        settings.execute_command("ACL", "SETUSER", "site", "on", f">{REDIS_PASSWORD}", "~*", "&*", "+@all")
        self.redis_url = redis.url.replace("unix://", f"unix://site:{REDIS_PASSWORD}@")
        environment = {
            **TALKATIVE,
            "LOG_FORMAT": log_format,
            "DATABASE_URL": with_password(database_url()),
            "REDIS_URL": self.redis_url,
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
        call = http.client.HTTPConnection("127.0.0.1", self.web.port, timeout=30)
        call.request(method, path, raw, {"Content-Type": kind, **named})
        answer = call.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text, answer.headers

    def post(self, path: str, body: dict[str, Any], **headers: str) -> tuple[int, Any]:
        status, answer, _ = self.ask("POST", f"/api/v1/{path}", body, **headers)
        return status, answer


def with_password(url: str) -> str:
    """PostgreSQL here trusts whoever comes, so any password is taken."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:{DATABASE_PASSWORD}@{host}"))


@pytest.fixture(params=["json", "console"])
def site(board: Board, own_redis: OwnRedis, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    site = Site(tmp_path, own_redis, request.param)
    yield site
    site.close()


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def signed_in(site: Site) -> dict[str, str]:
    """Signs in by call, refreshes, fails at both; returns the header of a good access token."""
    assert site.post("auth/token", {"username": "zoe", "password": WRONG})[0] == 401
    status, answer = site.post("auth/token", {"username": "zoe", "password": PASSWORD})
    assert status == 200, answer
    first = answer["data"]
    _, answer = site.post("auth/token/refresh", {"refresh": first["refresh"]})
    second = answer["data"]
    assert site.post("auth/token/refresh", {"refresh": first["refresh"]})[0] == 401
    assert site.post("auth/token/refresh", {"refresh": second["refresh"] + "x"})[0] == 401
    site.secrets |= {*first.values(), *second.values()}
    return {"Authorization": f"Bearer {second['access']}"}


def by_page(site: Site) -> dict[str, str]:
    """Signs in by page; returns the cookie header."""
    _, page, headers = site.ask("GET", "/accounts/sign-in")
    csrf = re.search(r"csrftoken=(\w+)", headers["Set-Cookie"])
    hidden = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert csrf
    assert hidden
    form = urlencode({"username": "zoe", "password": PASSWORD, "csrfmiddlewaretoken": hidden[1]})
    status, _, headers = site.ask("POST", "/accounts/sign-in", form, Cookie=f"csrftoken={csrf[1]}")
    assert status == 302
    session = re.search(r"sessionid=(\w+)", str(headers))
    assert session
    assert site.ask("POST", "/accounts/sign-in", form, Cookie="csrftoken=other")[0] == 403
    site.secrets |= {csrf[1], hidden[1], session[1]}
    return {"Cookie": f"sessionid={session[1]}; csrftoken={csrf[1]}", "X_CSRFToken": csrf[1]}


def minted(site: Site, **headers: str) -> dict[str, Any]:
    status, answer = site.post("action/token", {"action_type": "WIN_MATCH"}, **headers)
    assert status == 201, answer
    data = answer["data"]
    site.secrets.add(data["action_token"])
    return {**{name: data[name] for name in ("action_id", "action_type", "action_token")}, "timestamp": time.time()}


def crashes(site: Site, bearer: dict[str, str], cookie: dict[str, str]) -> list[str]:
    """Defects where secrets are at hand; the request ids under which they are logged."""
    ids = [f"crash-{number}-{uuid.uuid4().hex}" for number in range(4)]
    redeemable = minted(site, **bearer)
    sql("ALTER FUNCTION ledger_record RENAME TO ledger_record_gone")
    status, _ = site.post("score/update", redeemable, **bearer, X_Request_ID=ids[0])
    assert status == 500
    accepted, answer = site.post("score/update", redeemable, **bearer, Prefer="respond-async")
    assert accepted == 202, answer
    work = answer["data"]["work_id"]
    eventually(lambda: QueuedWork.objects.get(pk=work).state == "dead", "the worker gives it up", 60)
    assert "ledger_record" in QueuedWork.objects.get(pk=work).error
    sql("ALTER FUNCTION ledger_record_gone RENAME TO ledger_record")
    # PostgreSQL quotes the row that it refuses: here a refresh token's, a session's, a person's.
    for table in ("token_blacklist_outstandingtoken", "django_session", "users"):
        sql(f"ALTER TABLE {table} ADD CONSTRAINT refuse_everything CHECK (false) NOT VALID")
    assert site.post("auth/token", {"username": "zoe", "password": PASSWORD}, X_Request_ID=ids[1])[0] == 500
    newcomer = {"username": "newcomer", "email": "newcomer@example.org", "password": PASSWORD + "x"}
    assert site.post("auth/register", newcomer, X_Request_ID=ids[2])[0] == 500
    form = urlencode({"csrfmiddlewaretoken": cookie["X_CSRFToken"], "username": "zoe", "password": PASSWORD})
    anonymous = {"Cookie": f"csrftoken={cookie['X_CSRFToken']}", "X_Request_ID": ids[3]}
    assert site.ask("POST", "/accounts/sign-in", form, **anonymous)[0] == 500
    for table in ("token_blacklist_outstandingtoken", "django_session", "users"):
        sql(f"ALTER TABLE {table} DROP CONSTRAINT refuse_everything")
    site.secrets |= {PASSWORD + "x", "newcomer@example.org"}
    return ids


def test_no_secret_is_in_anything_that_is_printed(site: Site, own_redis: OwnRedis) -> None:
    user = User.objects.create_user("zoe", "zoe.quill@example.org", PASSWORD)
    _, key = api_keys.issue("game server", ["mint"])
    site.secrets |= {key, user.password, user.password.rpartition("$")[2]}
    bearer = signed_in(site)
    cookie = by_page(site)

    redeemable = minted(site, **bearer)
    assert site.post("score/update", redeemable, **bearer)[0] == 200
    assert site.post("score/update", redeemable, **bearer)[0] == 409
    assert (
        site.post("score/update", {**redeemable, "action_token": redeemable["action_token"] + "x"}, **bearer)[0] == 403
    )
    assert site.post("score/update", minted(site, **cookie), **cookie)[0] == 200
    asked = {"action_type": "WIN_MATCH", "user_id": str(user.pk)}
    status, answer = site.post("action/token", asked, X_API_Key=key)
    assert status == 201
    site.secrets.add(answer["data"]["action_token"])
    assert site.post("action/token", asked, X_API_Key=key[:-1] + "x")[0] == 403
    token = bearer["Authorization"].partition(" ")[2]
    with viewer(site.live, protocols=("bearer", token)) as watching:
        watching.until("you")
    with viewer(site.live, f"?token={token}", headers={"Authorization": f"Bearer {token}x"}) as watching:
        watching.opening()
    ids = crashes(site, bearer, cookie)
    own_redis.kill()  # what the clients of Redis then say of where they cannot connect
    assert site.post("score/update", minted(site, **bearer), **bearer)[0] == 200
    site.close()

    said = site.said()
    for request_id in ids:
        assert request_id in said, "the control: this is the log of those calls"
    for word in ("UndefinedFunction", "IntegrityError", "refuse_everything", "queued_work_failed", "limiter_fell_back"):
        assert word in said, "the control: the defects are in it"
    assert "Failing row contains [" in said
    found = [secret[:12] for secret in site.secrets for form in (secret, secret[:40]) if form in said]
    assert found == []


def test_the_control_without_the_last_guard_a_refused_row_is_in_the_log(board: Board, tmp_path: Path) -> None:
    """PostgreSQL's own words, through the same chain with the guard taken out."""
    from tests.processes import python

    code = """
import api.logs, logging
from django.db import connection, transaction
from scoreboard.models import User
api.logs.redacted = lambda logger, method, event: event
api.logs.configure({"level": "INFO", "format": "json"})
try:
    with transaction.atomic():
        connection.cursor().execute("ALTER TABLE users ADD CONSTRAINT refuse_all CHECK (false) NOT VALID")
        User.objects.create(username="zoe", email="zoe.quill@example.org")
except Exception:
    logging.getLogger("x").exception("a defect")
"""
    done = python(code)
    assert "zoe.quill@example.org" in done.stderr
