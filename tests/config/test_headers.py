"""What every page says to the browser about itself: policy, cookies, transport."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from leaderboard.boards import Board
from tests.support.admin_site import superuser
from tests.support.people import PASSWORD, give
from tests.support.processes import python

pytestmark = pytest.mark.usefixtures("unlimited")

PAGES = [
    "/",
    "/play",
    "/embed",
    "/embed/global",
    "/accounts/sign-in",
    "/accounts/sign-up",
    "/accounts/password",
    "/api/docs",
    "/nothing",
]
ADMIN = [
    *("/admin/", "/admin/login/", "/admin/accounts/user/", "/admin/accounts/user/add/"),
    *("/admin/scoreboard/scorehistory/", "/admin/scoreboard/userscore/", "/admin/accounts/apikey/"),
    *("/admin/accounts/apikey/add/", "/admin/actions/actiontype/", "/admin/actions/actiontype/add/"),
    *("/admin/integrity/flag/", "/admin/actions/queuedwork/", "/admin/actions/actiontoken/", "/admin/admin/logentry/"),
    *("/admin/auth/group/", "/admin/auth/group/add/", "/admin/nothing/"),
]
EXECUTED = {"", "text/javascript", "module", "application/javascript", "importmap", "speculationrules"}


class Inline(HTMLParser):
    """Collects what the policy would refuse: scripts and styles written into the page, handlers, javascript: links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "script" and "src" not in named and (named.get("type") or "") in EXECUTED:
            self.found.append("<script> without src")
        if tag == "style":
            self.found.append("<style>")
        self.found += [f"{tag} {name}" for name, _ in attrs if name.startswith("on") or name == "style"]
        self.found += [f"{tag} {text}" for _, text in attrs if (text or "").lower().startswith("javascript:")]


def inline(page: str) -> list[str]:
    parser = Inline()
    parser.feed(page)
    return parser.found


def test_the_control_what_is_inline_is_seen() -> None:
    page = (
        '<script>1</script><a onclick="x" href="javascript:y" style="z"><style>q</style><script type=module>2</script>'
    )
    assert len(inline(page)) == 6
    assert inline('<script src="/x.js"></script><script type="application/json">{}</script>') == []


def policy(response: Any) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in response["Content-Security-Policy"].split(";"))
    return {name: sources for name, _, sources in parts}


@pytest.mark.parametrize("path", [*PAGES, *ADMIN])
def test_no_page_has_a_script_or_a_style_in_it_and_its_policy_allows_none(board: Board, path: str) -> None:
    root = superuser()
    give(root, 10)
    client = Client()
    if path not in ("/accounts/sign-in", "/accounts/sign-up", "/admin/login/"):
        client.force_login(root)
    page = client.get(path)
    assert page.status_code in (200, 404)
    said = policy(page)
    assert said["default-src"] == "'self'"
    assert (said["object-src"], said["base-uri"], said["form-action"]) == ("'none'", "'none'", "'self'")
    assert not {"script-src", "script-src-elem", "style-src"} & set(said), "default-src is what counts"
    assert "unsafe" not in page["Content-Security-Policy"]
    assert said["frame-ancestors"] == ("*" if path.startswith("/embed/") else "'none'")
    assert page["X-Content-Type-Options"] == "nosniff"
    assert page["Referrer-Policy"] == "same-origin"
    # Swagger's page asks for this itself, for the sign-in windows of schemes that this API does not have.
    assert page["Cross-Origin-Opener-Policy"] == ("unsafe-none" if path == "/api/docs" else "same-origin")
    assert inline(page.content.decode()) == []


def test_a_users_page_in_admin_has_none_either(board: Board, alice: User) -> None:
    root = superuser()
    client = Client()
    client.force_login(root)
    give(alice, 10)
    for path in (f"{alice.pk}/change/", f"{alice.pk}/password/", f"{alice.pk}/history/", f"adjust/?ids={alice.pk}"):
        page = client.get(f"/admin/accounts/user/{path}")
        assert page.status_code == 200, path
        assert inline(page.content.decode()) == []
        assert policy(page)["default-src"] == "'self'"


ASK = """
import json, sys
from django.test import Client
name, password, secure = json.loads(sys.argv[1])
client = Client(SERVER_NAME="localhost")
plain = client.get("/play")
asked = client.get("/accounts/sign-in", secure=secure)
done = client.post("/accounts/sign-in", {"username": name, "password": password}, secure=secure)
cookies = {
    cookie.key: {flag: cookie[flag] for flag in ("secure", "httponly", "samesite", "domain", "path")}
    for response in (asked, done) for cookie in response.cookies.values()
}
health = client.get("/healthz")
print(json.dumps({"plain": [plain.status_code, plain.get("Location")], "status": done.status_code,
    "hsts": done.get("Strict-Transport-Security"), "cookies": cookies, "health": health.status_code}))
"""


def asked(https: bool) -> dict[str, Any]:
    """What a process with these settings says to a user who signs in."""
    done = python(ASK, json.dumps(["alice", PASSWORD, https]), HTTPS=str(int(https)), DEBUG="0")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture
def account(board: Board) -> User:
    return User.objects.create_user("alice", "alice@example.org", PASSWORD)


def test_with_https_cookies_travel_encrypted_only_and_browsers_are_told_to_stay(account: User) -> None:
    said = asked(https=True)
    assert said["plain"] == [301, "https://localhost/play"]
    assert said["hsts"] == "max-age=31536000; includeSubDomains"
    assert said["health"] == 200
    common = {"secure": True, "samesite": "Lax", "domain": "", "path": "/"}
    assert said["cookies"]["sessionid"] == {**common, "httponly": True}
    assert said["cookies"]["csrftoken"] == {**common, "httponly": ""}, "the play page's script sends it back"
    assert set(said["cookies"]) == {"sessionid", "csrftoken"}


@pytest.mark.long
def test_without_https_the_site_works_too(account: User) -> None:
    said = asked(https=False)
    assert said["status"] == 302
    assert said["hsts"] is None
    assert said["cookies"]["sessionid"]["secure"] == ""
    assert said["cookies"]["sessionid"]["httponly"] is True


@pytest.mark.parametrize(
    ("https", "sources"),
    [pytest.param("1", "'self' https: data:", marks=pytest.mark.long), ("0", "'self' https: data: http:")],
)
def test_avatars_come_from_anywhere_but_unencrypted_only_to_a_site_that_is_so_itself(https: str, sources: str) -> None:
    code = "from django.conf import settings; print(*settings.CONTENT_SECURITY_POLICY['DIRECTIVES']['img-src'])"
    assert python(code, HTTPS=https).stdout.strip() == sources
