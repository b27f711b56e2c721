"""Real servers at their most talkative, calls that succeed, fail and crash: and no secret in anything they print."""

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.db.models import F
from websockets.exceptions import ConnectionClosed

from accounts import api_keys
from accounts.models import User
from actions.models import ActionToken, QueuedWork
from leaderboard import boards, rebuild
from leaderboard.boards import Board
from tests.support.processes import eventually, python
from tests.support.redis_of_our_own import OwnRedis
from tests.system.deploy.talkative_site import PASSWORD, WRONG, Site
from tests.system.live.clients import viewer


@pytest.fixture
def board(transactional_db: None, own_redis: OwnRedis, redis_of_its_own: None) -> Iterator[Board]:
    board = boards.get("global")
    assert rebuild.rebuild(board)
    yield board
    if not own_redis.server.child.running():
        own_redis.start()


@pytest.fixture(params=["json", pytest.param("console", marks=pytest.mark.long)])
def site(board: Board, own_redis: OwnRedis, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    site = Site(tmp_path, own_redis, request.param)
    yield site
    site.close()


@contextmanager
def broken(*statements: tuple[str, str]) -> Iterator[None]:
    """Each (what breaks the schema, what mends it); mended when the block is left."""
    with connection.cursor() as cursor:
        for breaking, _ in statements:
            cursor.execute(breaking)
        try:
            yield
        finally:
            for _, mending in statements:
                cursor.execute(mending)


NO_LEDGER = (
    "ALTER FUNCTION ledger_record RENAME TO ledger_record_gone",
    "ALTER FUNCTION ledger_record_gone RENAME TO ledger_record",
)


def refusing(table: str) -> tuple[str, str]:
    """Rows are refused, and PostgreSQL quotes them: a refresh token's, a person's."""
    constraint = "CONSTRAINT refuse_everything"
    return f"ALTER TABLE {table} ADD {constraint} CHECK (false) NOT VALID", f"ALTER TABLE {table} DROP {constraint}"


def signed_in(site: Site) -> dict[str, str]:
    """Signs in by call, refreshes, fails at both, which ends the sign-in; returns the header of another, good one."""
    assert site.post("auth/token", {"username": "zoe", "password": WRONG})[0] == 401
    status, answer = site.post("auth/token", {"username": "zoe", "password": PASSWORD})
    assert status == 200, answer
    first = answer["data"]
    _, answer = site.post("auth/token/refresh", {"refresh": first["refresh"]})
    second = answer["data"]
    assert site.post("auth/token/refresh", {"refresh": first["refresh"]})[0] == 401
    assert site.post("auth/token/refresh", {"refresh": second["refresh"] + "x"})[0] == 401
    _, answer = site.post("auth/token", {"username": "zoe", "password": PASSWORD})
    third = answer["data"]
    site.secrets |= {*first.values(), *second.values(), *third.values()}
    return {"Authorization": f"Bearer {third['access']}"}


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
    status, answer = site.post("action/token", {"action_type": "COMPLETE_TASK"}, **headers)
    assert status == 201, answer
    ActionToken.objects.update(not_before=F("issued_at"))
    data = answer["data"]
    site.secrets.add(data["action_token"])
    return {**{name: data[name] for name in ("action_id", "action_type", "action_token")}, "timestamp": time.time()}


def crashes(site: Site, bearer: dict[str, str], cookie: dict[str, str]) -> list[str]:
    """Defects where secrets are at hand; the request ids under which they are logged."""
    ids = [f"crash-{number}-{uuid.uuid4().hex}" for number in range(4)]
    redeemable = minted(site, **bearer)
    with broken(NO_LEDGER):
        status, _ = site.post("score/update", redeemable, **bearer, X_Request_ID=ids[0])
        assert status == 500
        status, answer = site.post("score/update", redeemable, **bearer, Prefer="respond-async")
        assert status == 202, answer
        work = answer["data"]["work_id"]
        eventually(lambda: QueuedWork.objects.get(pk=work).state == "dead", "the worker gives it up")
        assert "ledger_record" in QueuedWork.objects.get(pk=work).error
    with broken(*map(refusing, ("sign_ins", "users"))):
        assert site.post("auth/token", {"username": "zoe", "password": PASSWORD}, X_Request_ID=ids[1])[0] == 500
        newcomer = {"username": "newcomer", "email": "newcomer@example.org", "password": PASSWORD + "x"}
        assert site.post("auth/register", newcomer, X_Request_ID=ids[2])[0] == 500
        form = urlencode({"csrfmiddlewaretoken": cookie["X_CSRFToken"], "username": "zoe", "password": PASSWORD})
        anonymous = {"Cookie": f"csrftoken={cookie['X_CSRFToken']}", "X_Request_ID": ids[3]}
        assert site.ask("POST", "/accounts/sign-in", form, **anonymous)[0] == 500
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
    with viewer(site.live, headers={"Authorization": f"Bearer {token}x"}) as watching:
        watching.until("leaderboard_update")
    with viewer(site.live, f"?token={token}") as watching, pytest.raises(ConnectionClosed, match="invalid-request"):
        watching.until("leaderboard_update")
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


@pytest.mark.long
def test_the_control_without_the_last_guard_a_refused_row_is_in_the_log(board: Board, tmp_path: Path) -> None:
    """PostgreSQL's own words, through the same chain with the guard taken out."""
    code = """
import api.logs, logging
from django.db import connection, transaction
from accounts.models import User
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
