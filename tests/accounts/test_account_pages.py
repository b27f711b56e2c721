"""The pages of one's own account: what the calls do, with a session, CSRF and the same limits."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts import mail, passwords, sign_in
from accounts.models import User
from api.broker import BrokerAway
from leaderboard.boards import Board
from tests.support.admin_site import admin
from tests.support.client import Api, assert_problem
from tests.support.people import PASSWORD, give, player

pytestmark = pytest.mark.usefixtures("board", "unlimited")

ACCOUNT, CHANGE, DATA, DELETE = (f"/accounts/me{rest}" for rest in ("", "/password", "/data", "/delete"))
FORGOTTEN, NEW_PASSWORD, CONFIRM = "/accounts/password", "/accounts/password/new", "/accounts/confirm"
OWN = [ACCOUNT, CHANGE, DATA, DELETE]
NEW = "another pass phrase"


@pytest.fixture
def zoe(board: Board) -> User:
    return User.objects.create_user("zoe", "zoe@example.org", PASSWORD)


@pytest.fixture
def page(zoe: User) -> Client:
    client = Client()
    client.force_login(zoe)
    return client


def is_signed_in(client: Client) -> bool:
    return bool(client.get("/api/v1/score/me").status_code == 200)


def test_the_header_leads_to_the_account_and_that_to_everything(page: Client) -> None:
    assert f'href="{ACCOUNT}"' in page.get("/play").content.decode()
    said = page.get(ACCOUNT).content.decode()
    for path in (CHANGE, DATA, DELETE):
        assert f'href="{path}"' in said
        assert page.get(path).status_code == 200
    assert "zoe@example.org" in said


def test_a_changed_password_keeps_this_session_alone(page: Client, zoe: User) -> None:
    other, token = Client(), sign_in.start(zoe)
    other.force_login(zoe)
    answer = page.post(CHANGE, {"old": PASSWORD, "new": NEW}, follow=True)
    assert "The password is changed" in answer.content.decode()
    assert (is_signed_in(page), is_signed_in(other)) == (True, False)
    assert Client().post("/api/v1/auth/token/verify", token, content_type="application/json").status_code != 200
    zoe.refresh_from_db()
    assert zoe.check_password(NEW)


@pytest.mark.parametrize(
    ("form", "field"), [({"old": "x"}, "old"), ({"new": "zoe"}, "new"), ({"new": "\0" * 9}, "new")]
)
def test_what_is_wrong_with_a_change_is_said_at_its_field(page: Client, form: dict[str, str], field: str) -> None:
    answer = page.post(CHANGE, {"old": PASSWORD, "new": NEW} | form)
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == [field]
    assert PASSWORD not in answer.content.decode()


def test_everything_that_is_wrong_with_a_form_is_told_at_once(page: Client) -> None:
    """Also by the calls: the form and the call judge alike."""
    both = {"old": "not it", "new": "12345678"}
    assert sorted(page.post(CHANGE, both).context["form"].errors) == ["new", "old"]
    assert sorted(page.post(CHANGE, {"old": "", "new": "12345678"}).context["form"].errors) == ["new", "old"]
    assert sorted(page.post(NEW_PASSWORD, {"token": "x", "new": "short"}).context["form"].errors) == ["new", "token"]
    answer = Client().post("/api/v1/auth/password/reset/confirm", {"token": "x", "new": "short"}, "application/json")
    assert sorted(answer.json()["errors"]) == ["new", "token"]


def test_signing_out_everywhere(page: Client, zoe: User) -> None:
    other = Client()
    other.force_login(zoe)
    answer = page.post(ACCOUNT, follow=True)
    assert "signed out everywhere" in answer.content.decode()
    assert (is_signed_in(page), is_signed_in(other)) == (False, False)


def test_one_s_data_are_a_file(page: Client, zoe: User, bob: User) -> None:
    give(zoe, 5)
    answer = page.post(DATA)
    assert answer["Content-Disposition"].startswith("attachment")
    assert "no-store" in answer["Cache-Control"]
    assert json.loads(answer.content)["identity"]["username"] == "zoe"
    assert "bob" not in answer.content.decode()


def test_deleting_the_account_takes_the_password(page: Client, zoe: User) -> None:
    assert list(page.post(DELETE, {"password": "x"}).context["form"].errors) == ["password"]
    answer = page.post(DELETE, {"password": PASSWORD}, follow=True)
    assert "Your account is deleted." in answer.content.decode()
    zoe.refresh_from_db()
    assert zoe.erased_at is not None
    assert not is_signed_in(page)


def test_staff_do_not_delete_themselves(board: Board) -> None:
    client = Client()
    client.force_login(ada := admin())
    assert DELETE not in client.get(ACCOUNT).content.decode()
    assert client.post(DELETE, {"password": PASSWORD}).status_code == 403
    ada.refresh_from_db()
    assert ada.erased_at is None


def test_a_forgotten_password_is_set_where_the_mail_leads(zoe: User) -> None:
    token, client = passwords.token_for(zoe, passwords.RESET), Client()
    form = client.get(NEW_PASSWORD, {"token": token})
    assert token in form.content.decode()
    assert zoe.check_password(PASSWORD), "opening the page does nothing"
    answer = client.post(NEW_PASSWORD, {"token": token, "new": NEW}, follow=True)
    assert "The new password is set" in answer.content.decode()
    assert client.post("/accounts/sign-in", {"username": "zoe", "password": NEW}).status_code == 302
    assert "it has expired or was used" in client.post(NEW_PASSWORD, {"token": token, "new": NEW}).content.decode()


def test_asking_for_a_mail_says_the_same_to_everybody(zoe: User) -> None:
    said = {
        re.sub(r"csrf\S+ value=\S+", "", Client().post(FORGOTTEN, {"email": email}, follow=True).content.decode())
        for email in ("zoe@example.org", "nobody@example.org")
    }
    assert len(said) == 1
    assert "a mail is on its way" in said.pop()


def test_a_broker_that_is_away_is_said(zoe: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: str) -> None:
        raise BrokerAway

    monkeypatch.setattr(mail, "hand_over", away)
    for email in ("zoe@example.org", "nobody@example.org"):
        assert_problem(Api().post("/api/v1/auth/password/reset", {"email": email}), "unavailable")
        assert "The site is busy" in Client().post(FORGOTTEN, {"email": email}).content.decode()


def test_an_address_is_confirmed_by_a_button_and_not_by_looking(zoe: User) -> None:
    token, client = passwords.token_for(zoe, passwords.CONFIRM), Client()
    client.get(CONFIRM, {"token": token})
    zoe.refresh_from_db()
    assert zoe.email_confirmed_at is None
    assert client.post(CONFIRM, {"token": token}).status_code == 302
    zoe.refresh_from_db()
    assert zoe.email_confirmed_at is not None


@pytest.mark.parametrize("token", ["", "x", "\0", "\ufffd", "é" * 300, "<script>", "x" * 5000, "a:b:c"])
@pytest.mark.parametrize("path", [NEW_PASSWORD, CONFIRM])
def test_a_token_that_is_none_breaks_nothing(board: Board, path: str, token: str) -> None:
    client = Client(raise_request_exception=False)
    assert client.get(path, {"token": token}).status_code == 200
    answer = client.post(path, {"token": token, "new": NEW})
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert "<script>" not in answer.content.decode()


@pytest.mark.parametrize("path", OWN)
def test_who_is_not_signed_in_is_led_to_sign_in_and_back(board: Board, path: str) -> None:
    for send in (Client().get, Client().post):
        assert send(path)["Location"] == f"/accounts/sign-in?next={path}"


@pytest.mark.parametrize("path", [*OWN, FORGOTTEN, NEW_PASSWORD, CONFIRM])
def test_a_form_of_another_site_is_refused(zoe: User, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(zoe)
    token = passwords.token_for(zoe, passwords.RESET)
    assert client.post(path, {"old": PASSWORD, "new": NEW, "password": PASSWORD, "token": token}).status_code == 403
    assert is_signed_in(client)


@pytest.mark.parametrize("path", [*OWN, FORGOTTEN, NEW_PASSWORD, CONFIRM])
def test_pages_of_an_account_are_not_kept_nor_framed_and_have_a_limit(
    page: Client, settings: Settings, path: str
) -> None:
    answer = page.get(path)
    assert "no-store" in answer["Cache-Control"]
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert answer["Referrer-Policy"] == "same-origin"
    settings.LIMITS = settings.LIMITS | {"sign-in": "1/minute", "password-reset": "1/minute"}
    statuses = [page.post(path, {"email": "x", "old": "x", "password": "x"}).status_code for _ in range(3)]
    assert statuses[-1] == 429 or not is_signed_in(page)


@pytest.mark.parametrize("path", [CHANGE, DELETE, NEW_PASSWORD, FORGOTTEN, CONFIRM])
def test_no_page_leads_elsewhere(page: Client, zoe: User, path: str) -> None:
    form: dict[str, Any] = {"old": PASSWORD, "new": NEW, "password": PASSWORD, "email": "x@example.org"}
    kind = passwords.CONFIRM if path == CONFIRM else passwords.RESET
    form |= {"token": passwords.token_for(zoe, kind), "next": "https://evil.example/"}
    answer = page.post(f"{path}?next=https://evil.example/", form)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/")


def test_admin_s_own_page_for_the_password_is_this_one(board: Board) -> None:
    client = Client()
    client.force_login(player("root", is_superuser=True))
    assert client.get("/admin/password_change/")["Location"] == CHANGE
