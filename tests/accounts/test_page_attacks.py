"""What a browser can be made to send to pages: a clear refusal, and no traceback for each line of it."""

import logging
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from leaderboard.boards import Board

pytestmark = pytest.mark.django_db

PAGES = ["/", "/play", "/embed", "/embed/global", "/accounts/sign-in", "/accounts/sign-up", "/admin/"]
CALLS = ["/api/v1/score/me", "/api/v1/scoreboard/top"]
KEYS = {
    "NUL": '"\\000aaaaaaaa"',
    "not ASCII": '"\\303\\244aaaaaaaa"',
    "long": "a" * 4000,
    "capitals": "A" * 32,
    "SQL": "'or''='aaaaaa",
    "empty": "",
}
FORMS = ["/accounts/sign-in", "/accounts/sign-up", "/accounts/sign-out", "/admin/login/", "/play", "/nowhere"]
CSRF = "a" * 32


def browser() -> Client:
    return Client(enforce_csrf_checks=True, raise_request_exception=False)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        pytest.param(path, key, id=f"{path}-{name}", marks=[pytest.mark.long] if path != "/" and name != "NUL" else [])
        for path in PAGES + CALLS
        for name, key in KEYS.items()
    ],
)
def test_a_session_that_cannot_be_one_is_none(board: Board, path: str, key: str) -> None:
    """Any site below a common domain can plant the cookie."""
    answer = browser().get(path, headers={"Cookie": f"sessionid={key}"})
    assert answer.status_code == browser().get(path).status_code < 500


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_and_it_does_not_lock_its_owner_out(board: Board, alice: User, key: str) -> None:
    client = browser()
    client.cookies.load(f"sessionid={key}")
    client.force_login(alice)
    assert b"alice" in client.get("/").content


def sent(path: str, content_type: str, body: bytes) -> Any:
    headers = {"Cookie": f"csrftoken={CSRF}", "X-CSRFToken": CSRF}
    return browser().generic("POST", path, body, content_type=content_type, headers=headers)


@pytest.mark.parametrize(
    ("path", "charset"),
    [
        pytest.param(path, charset, marks=[pytest.mark.long] if path != FORMS[0] and charset != "utf-7" else [])
        for path in FORMS
        for charset in ("utf-7", "latin-1", "utf-16")
    ],
)
def test_a_form_in_another_charset_is_refused(board: Board, path: str, charset: str) -> None:
    answer = sent(path, f"application/x-www-form-urlencoded; charset={charset}", b"a=b")
    assert answer.status_code in (400, 404, 405)
    assert "Content-Security-Policy" in answer
    assert answer["X-Request-ID"]


@pytest.mark.parametrize("path", FORMS)
def test_a_form_of_a_thousand_fields_is_refused_in_a_line(
    board: Board, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = b"&".join(b"a%d=1" % number for number in range(1100))
    with caplog.at_level(logging.DEBUG):
        answer = sent(path, "application/x-www-form-urlencoded", body)
    assert answer.status_code in (400, 404, 405)
    assert not [record for record in caplog.records if record.exc_info]
