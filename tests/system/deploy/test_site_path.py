"""The whole site under a path of another one: no link, cookie, redirect or connection leads out of it."""

import json
import re
import time
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, OpenerDirector, Request, build_opener, urlopen

import pytest
from django.contrib.auth.hashers import make_password

from accounts.models import User
from leaderboard.boards import Board
from tests.support.people import back_end, bearer
from tests.support.processes import PATIENCE, eventually
from tests.system.deploy.front import SITE, V4, V6, Front, site_below
from tests.system.deploy.nginx import post
from tests.system.live.clients import viewer
from tests.system.live.server import Server

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = ("/", "/embed", "/embed/global", "/accounts/sign-in", "/play", "/api/docs", "/admin/login/")
LINK = re.compile(r'(?:href|src|action|data-schema|data-url)="(/[^"]*)"')
PASSWORD = "a long enough pass phrase"
WAYS = [
    pytest.param(("nginx.conf", V4), id="nginx"),
    pytest.param(("nginx.conf", V6), id="nginx-over-ipv6", marks=pytest.mark.long),
    pytest.param(("Caddyfile", V4), id="caddy", marks=pytest.mark.long),
    pytest.param(("haproxy.cfg", V4), id="haproxy", marks=pytest.mark.long),
    pytest.param(("haproxy.cfg", V6), id="haproxy-over-ipv6", marks=pytest.mark.long),
]


@pytest.fixture(params=WAYS)
def site(board: Board, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Front, Server, Server]]:
    name, address = request.param
    with site_below(name, tmp_path, address) as site:
        yield site


class Stay(HTTPRedirectHandler):
    """A redirect is an answer."""

    def redirect_request(self, *_: object) -> None:
        return None


class Browser:
    """With the cookies of the site, and those of the other site at "/" that have the usual names."""

    def __init__(self, front: Front) -> None:
        self.front, self.jar = front, CookieJar()
        self.opener: OpenerDirector = build_opener(Stay(), HTTPCookieProcessor(self.jar))

    def open(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
        """(status, text, Location)"""
        body = urlencode({**form, "csrfmiddlewaretoken": self.cookie("csrftoken")}).encode() if form else None
        request = Request(self.front.http(path), body)  # noqa: S310
        self.jar.add_cookie_header(request)
        own = request.get_header("Cookie", "")
        request.add_unredirected_header("Cookie", f"{own}; sessionid=of-another-site; csrftoken={'x' * 32}".strip("; "))
        try:
            with self.opener.open(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode(), ""
        except HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode(), refused.headers.get("Location", "")

    def cookie(self, name: str) -> str:
        return next(cookie.value or "" for cookie in self.jar if cookie.name.endswith(name))


def test_the_site_is_below_its_path_and_nowhere_else(site: tuple[Front, Server, Server], alice: User) -> None:
    front, web, live = site
    User.objects.create(
        username="root", email="r@x.org", password=make_password(PASSWORD), is_staff=True, is_superuser=True
    )
    pages_lead_to_pages(front)
    signing_in_keeps_to_the_path(front)
    schema = front.get("/api/v1/schema").decode()
    assert f"servers:\n- url: {SITE}\n" in schema
    scores_are_seen(front, alice)
    for server in (web, live):
        assert b"ok" in server.get("/healthz"), "a probe asks the process itself"
    with pytest.raises(HTTPError) as refused:
        front.get("heet")
    refused.value.close()
    assert refused.value.code in (403, 404, 503), "/scoresheet is another site's"


def test_a_client_cannot_say_where_it_comes_from(site: tuple[Front, Server, Server]) -> None:
    front, web, _ = site
    statuses = []
    for number in range(12):
        made_up = dict.fromkeys(("X-Forwarded-For", "X_Forwarded_For", "X_Forwarded-For"), f"203.0.113.{number}")
        with pytest.raises(HTTPError) as refused:
            post(front, "/api/v1/auth/token", b'{"username": "nobody", "password": "x"}', **made_up)
        with refused.value:
            statuses.append(refused.value.code)
    assert statuses == [401] * 10 + [429] * 2
    web.close()  # so that what was refused is on record now, not in another test's database


def pages_lead_to_pages(front: Front) -> None:
    links: set[str] = set()
    for path in PAGES:
        links |= set(LINK.findall(front.get(path).decode()))
    missing = Request(front.http("/no-such-page"))  # noqa: S310
    with pytest.raises(HTTPError) as refused:
        urlopen(missing, timeout=PATIENCE)  # noqa: S310
    with refused.value:
        links |= set(LINK.findall(refused.value.read().decode()))
    assert {link for link in links if not f"{link}/".startswith(f"{SITE}/")} == set()
    assert len(links) > 10
    for link in links:
        assert front.get(link.removeprefix(SITE)), link


def signing_in_keeps_to_the_path(front: Front) -> None:
    browser = Browser(front)
    status, _, location = browser.open("/admin/")
    assert (status, location) == (302, f"{SITE}/admin/login/?next={SITE}/admin/")
    browser.open(location.removeprefix(SITE))
    who = {"username": "root", "password": PASSWORD, "next": f"{SITE}/admin/"}
    status, _, location = browser.open("/admin/login/", who)
    assert (status, location) == (302, f"{SITE}/admin/")
    status, page, _ = browser.open("/admin/")
    assert status == 200
    assert {link for link in LINK.findall(page) if not f"{link}/".startswith(f"{SITE}/")} == set()
    assert {cookie.path for cookie in browser.jar} == {SITE}
    status, _, location = browser.open("/accounts/sign-in")
    assert (status, location) == (302, f"{SITE}/")


def scores_are_seen(front: Front, alice: User) -> None:
    """Over the API, the WebSocket and the stream."""
    jwt = bearer(alice)
    with viewer(front) as watching, urlopen(front.http("/api/v1/scoreboard/stream"), timeout=PATIENCE) as stream:  # noqa: S310
        watching.opening()
        asked = json.dumps({"action_type": "COMPLETE_TASK", "user_id": str(alice.pk)}).encode()
        minted = json.loads(post(front, "/api/v1/action/token", asked, **back_end()))["data"]
        body = {name: minted[name] for name in ("action_id", "action_type", "action_token")}
        post(front, "/api/v1/score/update", json.dumps({**body, "timestamp": time.time()}).encode(), **jwt)
        watching.scores({"alice": 10})
        assert any(b'"score":10' in line for line in iter(stream.readline, b""))
    top = "/api/v1/scoreboard/top"
    eventually(lambda: [row["score"] for row in json.loads(front.get(top))["data"]] == [10], "the top shows it")
