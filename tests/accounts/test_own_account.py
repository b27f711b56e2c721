"""What a player does with the own account over the API: password, forgotten password, sign-ins, data, erasure."""

import json
import re
import time
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from celery import current_app
from django.conf import settings as site
from django.contrib.admin.models import CHANGE, LogEntry
from django.core import mail, signing
from django.test import Client
from pytest_django.fixtures import Settings
from redis.exceptions import RedisError
from rest_framework_simplejwt import tokens as simplejwt

from accounts import attempts, passwords, privacy, sign_in, tasks
from accounts import mail as mails
from accounts.models import User
from api.broker import BrokerAway
from leaderboard.boards import Board
from tests.support.admin_site import admin
from tests.support.client import Api, assert_problem
from tests.support.people import PASSWORD, give, player
from tests.support.processes import PATIENCE

pytestmark = pytest.mark.usefixtures("board", "unlimited", "quiet_log")

PASSWORD_CALL, RESET, CONFIRM = (f"/api/v1/auth/password{rest}" for rest in ("", "/reset", "/reset/confirm"))
EMAIL_CONFIRM, END, ME, EXPORT = (
    *("/api/v1/auth/email/confirm", "/api/v1/auth/sessions/end"),
    *("/api/v1/me", "/api/v1/me/export"),
)
NEW, SITE = "another pass phrase", "https://scores.example.org"


@pytest.fixture
def zoe(board: Board) -> User:
    return User.objects.create_user("zoe", "Zoe@example.org", PASSWORD)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """What is handed to the worker, and done at once."""
    handed: list[tuple[str, list[str]]] = []
    of_name: dict[str, Callable[..., None]] = {
        mails.RESET: tasks.mail_reset,
        mails.CONFIRMATION: tasks.mail_confirmation,
    }

    def hand_over(task: str, *args: str) -> None:
        handed.append((task, list(args)))
        of_name[task](*args)

    monkeypatch.setattr(mails, "hand_over", hand_over)
    return handed


def headers(pair: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {pair['access']}"}


def goes_on(api: Api, pair: dict[str, str]) -> bool:
    statuses = {api.post("/api/v1/auth/token/verify", {"token": token}).status_code for token in pair.values()}
    assert len(statuses) == 1
    return statuses == {200}


def session_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


# --- changing


def test_the_sign_in_that_changes_the_password_goes_on_and_no_other(api: Api, zoe: User) -> None:
    mine, other, page = sign_in.start(zoe), sign_in.start(zoe), session_of(zoe)
    answer = api.post(PASSWORD_CALL, {"old": PASSWORD, "new": NEW}, headers=headers(mine))
    assert (answer.status_code, answer.content) == (204, b"")
    assert (goes_on(api, mine), goes_on(api, other)) == (True, False)
    assert page.get("/api/v1/score/me").status_code == 401
    assert api.post("/api/v1/auth/token", {"username": "zoe", "password": NEW}).status_code == 200
    assert api.post("/api/v1/auth/token", {"username": "zoe", "password": PASSWORD}).status_code == 401


def test_the_session_that_changes_the_password_goes_on_and_no_other(api: Api, zoe: User) -> None:
    mine, other, token = session_of(zoe), session_of(zoe), sign_in.start(zoe)
    key = mine.session.session_key
    body = json.dumps({"old": PASSWORD, "new": NEW})
    assert mine.post(PASSWORD_CALL, body, content_type="application/json").status_code == 204
    assert mine.get("/api/v1/score/me").status_code == 200
    assert mine.session.session_key != key, "a session that an attacker fixed before does not go on"
    assert other.get("/api/v1/score/me").status_code == 401
    assert not goes_on(api, token)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"old": "not the one"}, "old"),
        ({"old": ""}, "old"),
        ({"new": "short"}, "new"),
        ({"new": "zoe@example.org"}, "new"),
        ({"new": "12345678901234"}, "new"),
        ({"new": "x" * 129}, "new"),
        ({"old": "x" * 129}, "old"),
        ({"new": "nul\0nul\0nul"}, "new"),
        ({"username": "root"}, "username"),
    ],
)
def test_a_refused_change_changes_nothing(api: Api, zoe: User, change: dict[str, str], field: str) -> None:
    mine, other = sign_in.start(zoe), sign_in.start(zoe)
    answer = api.post(PASSWORD_CALL, {"old": PASSWORD, "new": NEW, **change}, headers=headers(mine))
    assert list(assert_problem(answer, "invalid-request").get("errors", {"new": "no JSON of ours"})) == [field]
    assert goes_on(api, mine)
    assert goes_on(api, other)
    zoe.refresh_from_db()
    assert zoe.check_password(PASSWORD)


def test_guesses_at_the_present_password_are_guesses_at_the_account(api: Api, zoe: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "sign-in-account": "3/hour"}
    mine = headers(sign_in.start(zoe))
    body = {"old": "a guess", "new": NEW}
    assert [api.post(PASSWORD_CALL, body, headers=mine).status_code for _ in range(4)] == [400, 400, 400, 429]
    assert api.send("DELETE", ME, b'{"password": "a guess"}', headers=mine).status_code == 429
    assert api.post("/api/v1/auth/token", {"username": "zoe", "password": "a guess"}).status_code == 429


def test_a_better_hash_of_the_same_password_ends_nothing(api: Api, zoe: User, settings: Settings) -> None:
    token, page = sign_in.start(zoe), session_of(zoe)
    settings.PASSWORD_HASHERS = ["accounts.hashing.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]
    assert api.post("/api/v1/auth/token", {"username": "zoe", "password": PASSWORD}).status_code == 200
    zoe.refresh_from_db()
    assert zoe.password.startswith("pbkdf2")
    assert goes_on(api, token)
    assert page.get("/api/v1/score/me").status_code == 401, "as Django has it: a session knows the hash"


def test_signing_out_everywhere_ends_tokens_and_sessions_the_own_too(api: Api, zoe: User, bob: User) -> None:
    held = [sign_in.start(zoe) for _ in range(3)]
    page, theirs = session_of(zoe), sign_in.start(bob)
    reset = passwords.token_for(zoe, passwords.RESET)
    assert api.post(END, {}, headers=headers(held[0])).status_code == 204
    assert [goes_on(api, pair) for pair in (*held, theirs)] == [False, False, False, True]
    assert page.get("/api/v1/score/me").status_code == 401
    assert_problem(api.post(CONFIRM, {"token": reset, "new": NEW}), "invalid-request")


# --- forgotten


def mailed_token() -> str:
    [message] = mail.outbox
    assert message.to == ["Zoe@example.org"], "the address that signed up, however it was typed"
    [token] = re.findall(r"token=(\S+)", str(message.body))
    return unquote(token)


def test_a_forgotten_password_is_replaced_by_mail(api: Api, zoe: User, worker: Any) -> None:
    token, page = sign_in.start(zoe), session_of(zoe)
    answer = api.post(RESET, {"email": "ZOE@EXAMPLE.ORG"})
    assert (answer.status_code, answer.content) == (202, b"")
    mailed = mailed_token()
    assert "http://testserver/accounts/password/new?token=" in mail.outbox[0].body
    assert api.post(CONFIRM, {"token": mailed, "new": NEW}).status_code == 204
    assert not goes_on(api, token)
    assert page.get("/api/v1/score/me").status_code == 401
    assert api.post("/api/v1/auth/token", {"username": "zoe", "password": NEW}).status_code == 200
    again = api.post(CONFIRM, {"token": mailed, "new": "a third pass phrase"})
    assert list(assert_problem(again, "invalid-request")["errors"]) == ["token"], "good once"


ENDS: dict[str, Callable[[User], Any]] = {
    "a newer password": lambda user: passwords.replaced(user, NEW),
    "a newer address": lambda user: User.objects.filter(pk=user.pk).update(email="other@example.org"),
    "a ban": lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
    "signing out everywhere": passwords.sign_out_everywhere,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_reset_token_is_ended_by(api: Api, zoe: User, end: Callable[[User], Any]) -> None:
    token = passwords.token_for(zoe, passwords.RESET)
    end(User.objects.get(pk=zoe.pk))
    assert_problem(api.post(CONFIRM, {"token": token, "new": "a third pass phrase"}), "invalid-request")


def test_a_reset_token_is_good_for_an_hour(api: Api, zoe: User, monkeypatch: pytest.MonkeyPatch) -> None:
    token, now = passwords.token_for(zoe, passwords.RESET), time.time()
    monkeypatch.setattr(time, "time", lambda: now + passwords.RESET_SECONDS + 2)
    assert_problem(api.post(CONFIRM, {"token": token, "new": NEW}), "invalid-request")
    monkeypatch.setattr(time, "time", lambda: now + passwords.RESET_SECONDS - 2)
    assert api.post(CONFIRM, {"token": token, "new": NEW}).status_code == 204


def test_a_refused_password_spends_no_token(api: Api, zoe: User) -> None:
    token = passwords.token_for(zoe, passwords.RESET)
    document = assert_problem(api.post(CONFIRM, {"token": token, "new": "zoe"}), "invalid-request")
    assert list(document["errors"]) == ["new"]
    assert api.post(CONFIRM, {"token": token, "new": NEW}).status_code == 204


def test_no_other_token_sets_a_password(api: Api, zoe: User) -> None:
    pair = sign_in.start(zoe)
    others = [
        *("", "x", ":", "a:b:c", "\0", "é", "x" * 1024, *pair.values()),
        passwords.token_for(zoe, passwords.CONFIRM),
        signing.dumps({"user": str(zoe.pk), "mark": passwords.mark(zoe, passwords.RESET)}),
        signing.dumps({"user": str(zoe.pk), "mark": "x"}, salt=passwords.RESET),
        passwords.token_for(zoe, passwords.RESET)[:-1],
    ]
    for token in others:
        assert_problem(api.post(CONFIRM, {"token": token, "new": NEW}), "invalid-request")
    zoe.refresh_from_db()
    assert zoe.check_password(PASSWORD)


def test_asking_tells_nothing_of_who_has_an_account(api: Api, zoe: User, worker: list[Any]) -> None:
    """Not by the answer, and not by the work before it: the worker is handed the same and looks by itself."""
    player("keyless", email="keyless@example.org")
    User.objects.create_user("gone", "gone@example.org", PASSWORD, is_active=False)
    emails = ["zoe@example.org", "nobody@example.org", "keyless@example.org", "gone@example.org"]
    answers = [api.post(RESET, {"email": email}) for email in emails]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"")}
    assert worker == [(mails.RESET, [email, "http://testserver"]) for email in emails]
    assert len(mail.outbox) == 1


def test_asking_makes_the_same_queries_for_every_address(
    api: Api, zoe: User, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(mails, "hand_over", lambda *args: None)
    for email in ("zoe@example.org", "nobody@example.org"):
        with django_assert_num_queries(0):
            assert api.post(RESET, {"email": email}).status_code == 202


def test_asking_is_limited_alike_for_every_address(api: Api, zoe: User, worker: Any, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "password-reset": "3/hour"}
    emails = ["zoe@example.org", "nobody@example.org", "zoe@example.org", "nobody@example.org", "zoe@example.org"]
    assert [api.post(RESET, {"email": email}).status_code for email in emails] == [202, 202, 202, 429, 429]


def test_a_mailbox_is_not_flooded_and_nobody_is_told(api: Api, zoe: User, worker: Any, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "mail": "2/hour"}
    assert [api.post(RESET, {"email": "zoe@example.org"}).status_code for _ in range(4)] == [202] * 4
    assert len(mail.outbox) == 2


def test_retries_of_a_mail_are_one_mail_to_the_limit(
    board: Board, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.create_user("yan", "yan@example.org", PASSWORD)  # whose mailbox no other test has mailed
    settings.LIMITS = {**settings.LIMITS, "mail": "2/hour"}
    failures, send_mail = iter(range(3)), mail.send_mail

    def send(*args: Any, **options: Any) -> int:
        if next(failures, None) is not None:
            raise ConnectionRefusedError
        return send_mail(*args, **options)

    monkeypatch.setattr(mails, "send_mail", send)
    for _ in range(3):
        tasks.mail_reset.apply(("yan@example.org", ""))
    assert len(mail.outbox) == 2


def test_the_worker_is_handed_the_mail_by_the_broker(api: Api, zoe: User) -> None:
    assert api.post(RESET, {"email": "zoe@example.org"}).status_code == 202
    with current_app.connection_for_read() as broker, broker.SimpleQueue(site.CELERY_TASK_DEFAULT_QUEUE) as queue:
        message = queue.get(timeout=PATIENCE)
        message.ack()
    assert message.headers["task"] == mails.RESET
    assert message.payload[0] == ["zoe@example.org", "http://testserver"]
    assert message.headers["expires"], "what no worker took in time is not sent late"


@pytest.mark.parametrize(
    ("hosts", "site_url", "link"),
    [
        (["testserver"], "", "http://testserver/accounts"),
        (["*"], "", None),
        ([".example.org"], "", None),
        (["*"], "https://scores.example.org/", "https://scores.example.org/accounts"),
    ],
)
def test_a_mail_leads_to_no_host_that_the_request_made_up(
    api: Api, zoe: User, worker: Any, settings: Settings, hosts: list[str], site_url: str, link: str | None
) -> None:
    settings.ALLOWED_HOSTS, settings.SITE_URL = hosts, site_url
    forged = {"Host": "a.example.org" if hosts != ["testserver"] else "testserver", "X-Forwarded-Host": "evil.example"}
    assert api.post(RESET, {"email": "zoe@example.org"}, headers=forged).status_code == 202
    body = mail.outbox[0].body
    assert "evil" not in body
    assert (f"{link}/password/new?token=" in body) if link else ("://" not in body)


@pytest.mark.parametrize(
    "send",
    [
        pytest.param(lambda user: mails.send_reset(user.email, SITE, charged=False), id="reset"),
        pytest.param(lambda user: mails.send_confirmation(str(user.pk), SITE, charged=False), id="confirmation"),
    ],
)
def test_a_mail_of_a_site_below_a_path_leads_there(zoe: User, settings: Settings, send: Callable[[User], None]) -> None:
    settings.SITE_PATH = "/scores"
    Context().run(send, zoe)  # as in a thread of the worker, which has served no request
    assert f"{SITE}/scores/accounts/" in mail.outbox[0].body


# --- the address


def test_a_sign_up_asks_to_confirm_the_address_when_there_is_a_mail_server(
    api: Api, worker: list[Any], settings: Settings
) -> None:
    body = {"username": "zoe", "email": "Zoe@example.org", "password": PASSWORD}
    settings.EMAIL_URL = "smtp://mail"
    assert api.post("/api/v1/auth/register", body).status_code == 201
    zoe = User.objects.get()
    token = mailed_token()
    mine, bobs = headers(sign_in.start(zoe)), headers(sign_in.start(player("bob")))
    assert_problem(api.post(EMAIL_CONFIRM, {"token": token}, headers=bobs), "invalid-request")
    assert_problem(api.post(EMAIL_CONFIRM, {"token": token}), "not-authenticated")
    for _ in range(2):
        assert api.post(EMAIL_CONFIRM, {"token": token}, headers=mine).status_code == 204
    zoe.refresh_from_db()
    assert zoe.email_confirmed_at is not None
    assert api.get(EXPORT, headers=mine).json()["data"]["identity"]["email_confirmed_at"]


def test_a_mail_to_an_address_that_nobody_has_confirmed_says_nothing_of_a_strangers(
    api: Api, worker: list[Any], settings: Settings
) -> None:
    """A sign-up with another person's address chooses the name."""
    settings.EMAIL_URL = "smtp://mail"
    body = {"username": "http://evil.example", "email": "Zoe@example.org", "password": PASSWORD}
    assert api.post("/api/v1/auth/register", body).status_code == 201
    assert api.post(RESET, {"email": "zoe@example.org"}).status_code == 202
    assert [("evil" in message.body) for message in mail.outbox] == [False, False]
    passwords.reset(passwords.token_for(User.objects.get(), passwords.RESET), NEW)
    assert api.post(RESET, {"email": "zoe@example.org"}).status_code == 202
    assert "Hello http://evil.example," in mail.outbox[-1].body, "the control: whose mail it is has been shown"


def test_without_a_mail_server_no_address_is_asked_to_be_confirmed(api: Api, worker: list[Any]) -> None:
    body = {"username": "zoe", "email": "Zoe@example.org", "password": PASSWORD}
    assert api.post("/api/v1/auth/register", body).status_code == 201
    assert worker == []


def test_a_sign_up_does_not_fail_with_the_broker(
    api: Api, board: Board, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: str) -> None:
        raise BrokerAway

    settings.EMAIL_URL = "smtp://mail"
    monkeypatch.setattr(mails, "hand_over", away)
    body = {"username": "zoe", "email": "Zoe@example.org", "password": PASSWORD}
    assert api.post("/api/v1/auth/register", body).status_code == 201


def test_another_address_is_not_confirmed_by_the_mail_to_the_former(api: Api, zoe: User) -> None:
    token = passwords.token_for(zoe, passwords.CONFIRM)
    User.objects.filter(pk=zoe.pk).update(email="other@example.org")
    assert_problem(api.post(EMAIL_CONFIRM, {"token": token}, zoe), "invalid-request")


# --- the data


def test_a_player_gets_everything_about_themselves_and_of_nobody_else(api: Api, zoe: User, bob: User) -> None:
    give(zoe, 5)
    give(bob, 7)
    answer = api.get(EXPORT, zoe)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-store"
    data = answer.json()["data"]
    assert data["identity"]["email"] == "Zoe@example.org"
    assert [entry["delta"] for entry in data["history"]] == [5]
    for secret in (zoe.password, "bob", str(bob.pk), str(zoe.session_key)):
        assert secret not in answer.content.decode()


def test_an_export_is_limited(api: Api, zoe: User, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "export": "2/hour"}
    assert [api.get(EXPORT, zoe).status_code for _ in range(3)] == [200, 200, 429]


def test_an_admin_s_export_does_not_name_whom_they_acted_upon(api: Api, zoe: User) -> None:
    ada = admin()
    LogEntry.objects.log_actions(ada.pk, [zoe], CHANGE, "Talked to zoe", single_object=True)
    said = api.get(EXPORT, ada)
    assert len(said.json()["data"]["admin_log"]["by"]) == 1
    assert "zoe" not in said.content.decode()


def test_a_player_erases_themselves_with_the_password(api: Api, zoe: User) -> None:
    mine = headers(sign_in.start(zoe))
    page = session_of(zoe)
    wrong = api.send("DELETE", ME, b'{"password": "not the one"}', headers=mine)
    assert list(assert_problem(wrong, "invalid-request")["errors"]) == ["password"]
    assert_problem(api.send("DELETE", ME, b"{}", headers=mine), "invalid-request")
    body = json.dumps({"password": PASSWORD}).encode()
    assert api.send("DELETE", ME, body, headers=mine).status_code == 204
    zoe.refresh_from_db()
    assert zoe.erased_at is not None
    assert api.get(EXPORT, headers=mine).status_code == 401
    assert page.get("/api/v1/score/me").status_code == 401
    assert api.send("DELETE", ME, body, headers=mine).status_code == 401


def test_what_was_out_of_reach_is_erased_later(api: Api, zoe: User, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts.remember(zoe.pk, "198.51.100.7")
    body = json.dumps({"password": PASSWORD}).encode()
    mine = headers(sign_in.start(zoe))

    def away(user_id: Any) -> None:
        raise RedisError("away")

    monkeypatch.setattr(attempts, "forget", away)
    assert api.send("DELETE", ME, body, headers=mine).status_code == 204
    monkeypatch.undo()
    assert attempts.known(zoe.pk), "the control: Redis was away"
    tasks.finish_erasures()
    assert attempts.known(zoe.pk) == {}


def test_an_erasure_that_cannot_be_finished_keeps_no_other_waiting(
    zoe: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in (zoe, bob):
        privacy.erase(user.pk)
    asked: list[Any] = []

    def first_fails(user_id: Any) -> None:
        asked.append(user_id)
        if len(asked) == 1:
            raise RedisError("away")

    monkeypatch.setattr(privacy, "_parts", [privacy.Part(lambda user: {}, first_fails)])
    with pytest.raises(privacy.Unfinished, match="away"):
        tasks.finish_erasures()
    assert sorted(asked) == sorted([zoe.pk, bob.pk])


def test_staff_do_not_erase_themselves(api: Api, board: Board) -> None:
    root = User.objects.create_superuser("root", "root@example.org", PASSWORD)
    body = json.dumps({"password": PASSWORD}).encode()
    for who in (root, admin()):
        assert_problem(api.send("DELETE", ME, body, who), "forbidden")
        who.refresh_from_db()
        assert who.erased_at is None


@pytest.mark.parametrize(("method", "path"), [("POST", PASSWORD_CALL), ("POST", END), ("GET", EXPORT), ("DELETE", ME)])
def test_nobody_else_may(api: Api, board: Board, method: str, path: str) -> None:
    assert_problem(api.send(method, path, b"{}"), "not-authenticated")


@pytest.mark.parametrize(("method", "path"), [("POST", PASSWORD_CALL), ("POST", END), ("DELETE", ME)])
def test_a_foreign_page_does_none_of_it_in_the_visitors_name(zoe: User, method: str, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(zoe)
    body = json.dumps({"old": PASSWORD, "new": NEW} if path == PASSWORD_CALL else {"password": PASSWORD})
    assert client.generic(method, path, body, content_type="application/json").status_code == 403
    assert client.get("/api/v1/score/me").status_code == 200


SAYS_NOTHING_TO_OTHERS = [
    *("/api/v1/auth/register", "/api/v1/auth/token", PASSWORD_CALL, RESET, CONFIRM, ME, EXPORT),
]


@pytest.mark.parametrize("path", SAYS_NOTHING_TO_OTHERS)
def test_calls_with_a_password_are_not_for_pages_of_other_origins(api: Api, board: Board, path: str) -> None:
    """A hostile page's visitors would guess passwords, each from an address of their own."""
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert not api.send("OPTIONS", path, b"", headers=asked).has_header("Access-Control-Allow-Origin")
    assert not api.post(path, {}, headers=asked).has_header("Access-Control-Allow-Origin")


@pytest.mark.parametrize("path", ["/api/v1/auth/token/refresh", "/api/v1/auth/token/verify", "/api/v1/action/types"])
def test_the_control_other_calls_are(api: Api, board: Board, path: str) -> None:
    answer = api.post(path, {}, headers={"Origin": "https://site.example"})
    assert answer["Access-Control-Allow-Origin"] == "*"


# --- clocks


# Not -59: a busy machine may take some seconds from the signing to the last of the calls.
@pytest.mark.parametrize("apart", [-40, -9, -1, 1, 9, 59])
def test_clocks_up_to_a_minute_apart_do_not_matter(
    api: Api, zoe: User, monkeypatch: pytest.MonkeyPatch, apart: int
) -> None:
    """The machine that signs is ahead, or behind so far that what it signs has just expired here."""
    lifetime = simplejwt.AccessToken.lifetime if apart < 0 else timedelta()
    there = datetime.now(UTC) + timedelta(seconds=apart) - lifetime
    monkeypatch.setattr(simplejwt, "aware_utcnow", lambda: there)
    monkeypatch.setattr(simplejwt.RefreshToken, "lifetime", simplejwt.AccessToken.lifetime)
    pair = sign_in.start(zoe)
    monkeypatch.undo()
    assert goes_on(api, pair)
    assert api.get("/api/v1/score/me", headers=headers(pair)).status_code == 200
    assert api.post("/api/v1/auth/token/refresh", {"refresh": pair["refresh"]}).status_code == 200
