"""Another site's page, with the visitor's browser as its tool."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from actions.models import ActionToken
from scoreboard.models import ScoreHistory
from tests.support.client import MINT, UPDATE, Api
from tests.support.people import PASSWORD

ELSEWHERE = "https://evil.example"
BODY = json.dumps({"action_type": "COMPLETE_TASK"})
BONUS = "/api/v1/score/bonus"


@pytest.fixture
def browser(alice: User) -> Client:
    """Alice's, in which she is signed in at the site."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    return client


@pytest.mark.parametrize("path", [MINT, UPDATE, "/api/v1/score/batch", BONUS])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_a_foreign_page_writes_nothing_in_the_visitors_name(browser: Client, path: str, content_type: str) -> None:
    """The last two content types are what a form or a fetch sends without asking first."""
    answer = browser.generic("POST", path, BODY, content_type=content_type, headers={"Origin": ELSEWHERE})
    assert answer.status_code == 403
    assert not ActionToken.objects.exists()
    assert not ScoreHistory.objects.exists()


def test_control_the_sites_own_page_does(browser: Client) -> None:
    browser.get("/play")
    token = browser.cookies["csrftoken"].value
    answer = browser.post(MINT, BODY, content_type="application/json", headers={"X-CSRFToken": token})
    assert answer.status_code == 201


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_foreign_page_reads_nothing_with_the_visitors_cookies(browser: Client, method: str) -> None:
    """A browser shows an answer to `*` only if it was asked for without cookies."""
    headers = {"Origin": ELSEWHERE, "Access-Control-Request-Method": "GET"}
    answer = browser.generic(method, "/api/v1/score/me", headers=headers)
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer


def test_a_foreign_page_cannot_sign_the_visitor_in_as_somebody_else(alice: User) -> None:
    """The call gives its tokens to who asked and leaves nothing in the browser; the page's form wants its own token."""
    User.objects.create_user("mallory", "mallory@example.org", PASSWORD)
    client = Client(enforce_csrf_checks=True)
    credentials = {"username": "mallory", "password": PASSWORD}
    answer = client.post("/api/v1/auth/token", json.dumps(credentials), content_type="text/plain")
    assert answer.status_code == 415
    answer = client.post("/api/v1/auth/token", json.dumps(credentials), content_type="application/json")
    assert answer.status_code == 200
    assert not answer.cookies
    assert client.post("/accounts/sign-in", credentials, headers={"Origin": ELSEWHERE}).status_code == 403
    assert "sessionid" not in client.cookies


@pytest.mark.parametrize(
    "target",
    [
        *("//evil.example", "///evil.example", "https:evil.example", "https:/\\evil.example", "/\\evil.example"),
        *(
            "\\\\evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://testserver@evil.example",
            "\t//evil.example",
        ),
        *(
            "/%0d%0aSet-Cookie:x",
            "http://testserver.evil.example/",
            "//testserver:80@evil.example",
            "\x00//evil.example",
        ),
    ],
)
@pytest.mark.usefixtures("unlimited")
def test_the_way_back_leads_to_no_other_site(db: None, target: str) -> None:
    User.objects.create_user("alice", "alice@example.org", PASSWORD)
    answer = Client().post("/accounts/sign-in", {"username": "alice", "password": PASSWORD, "next": target})
    location = answer["Location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert "Set-Cookie" not in answer


@pytest.mark.parametrize(
    "header",
    ["Host", "X-Forwarded-Host", "X-Host", "X-Forwarded-Server", "Forwarded", "X-Original-URL", "X-Rewrite-URL"],
)
@pytest.mark.parametrize("path", ["/embed", "/embed/global", "/api/v1/scoreboard/top", "/admin/", "/accounts/sign-in"])
def test_no_answer_points_to_a_host_that_the_request_made_up(db: None, header: str, path: str) -> None:
    answer = Client(raise_request_exception=False).get(path, headers={header: "evil.example"})
    everything = answer.content.decode() + str(list(answer.items()))
    assert "evil.example" not in everything
    assert answer.status_code == (400 if header == "Host" else 302 if path == "/admin/" else 200)


def test_the_links_of_a_page_of_history_are_not_poisoned(api: Api, alice: User) -> None:
    path = f"/api/v1/score/{alice.pk}/history?page_size=1"
    answer: Any = api.get(path, alice, headers={"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"})
    assert "evil.example" not in answer.content.decode()


@pytest.mark.parametrize(
    "path",
    [
        *("../manage.py", "%2e%2e/manage.py", "..%2fmanage.py", "..%5cmanage.py", "....//manage.py", "/etc/passwd"),
        *("leaderboard/../../manage.py", "%252e%252e/manage.py", "\x00", "%00/../manage.py", ".env", ".git/config"),
    ],
)
def test_static_files_are_those_of_the_site_and_no_others(db: None, path: str) -> None:
    assert Client(raise_request_exception=False).get(f"/static/{path}").status_code == 404


@pytest.mark.parametrize("path", ["/play", "/accounts/sign-in", "/admin/login/", "/", "/api/docs", "/nowhere"])
def test_no_page_with_something_to_click_can_be_framed(db: None, path: str) -> None:
    answer = Client().get(path, headers={"Referer": f"{ELSEWHERE}/embed/global", "Sec-Fetch-Dest": "iframe"})
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "path", ["/embed/global/../../play", "/embed/global/play", "/embed/global%2f..%2fplay", "/embed//play"]
)
def test_the_page_for_frames_leads_to_no_other_page(db: None, path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 404
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
