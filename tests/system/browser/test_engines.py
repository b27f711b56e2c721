"""A site with readers of its own in each of the three engines: page, policy, sign-in, and no cookies of others."""

import json
import re
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from django.conf import settings as configured

from accounts.identity import viewer_tokens
from tests.support.people import site_key
from tests.support.processes import PATIENCE, ROOT, eventually
from tests.support.programs import needed
from tests.system.browser import engines
from tests.system.browser.board import AGAIN
from tests.system.browser.engines import Engine, Tab
from tests.system.browser.foreign import Foreign, serving
from tests.system.browser.site import Site

OTHERS = ["firefox", "webkit"]
ELEMENT = """<!doctype html><html lang="en"><title>A site with readers of its own</title>
<script src="/page.js"></script>
<script type="module" src="{site}/static/leaderboard/live-leaderboard.js"></script>
<live-leaderboard src="{site}" auth-url="/board-token"></live-leaderboard>
<live-leaderboard src="{site}" auth-url="/board-token" limit="5"></live-leaderboard>"""
ELEMENT_POLICY = (
    "default-src 'none'; script-src 'self' {site}; connect-src 'self' {site} {socket}; img-src 'self' https:"
)
ELEMENT_SCRIPT = """window.told = []; window.violations = [];
addEventListener('leaderboard-signed-out', ({ detail }) => told.push(detail.board));
addEventListener('securitypolicyviolation', ({ blockedURI }) => violations.push(blockedURI));"""

FRAME = """<!doctype html><html lang="en"><title>A site that runs no script of others</title>
<script src="/page.js"></script>
<iframe src="{site}/embed/global?origin=ORIGIN" title="Leaderboard" width="600" height="600"></iframe>"""
FRAME_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src {site}"
# The lines of the documentation; they miss the first question, as where the script starts late.
ANSWER = re.search(r"addEventListener\('message'.*?\n}\);", (ROOT / "docs/embedding.md").read_text(), re.DOTALL)
assert ANSWER
FRAME_SCRIPT = f"""window.told = []; window.violations = [];
const boardToken = async () => (await (await fetch('/board-token')).json()).token;
addEventListener('message', () => {{ {ANSWER[0].replace("https://host", "{site}")} }}, {{ once: true }});
addEventListener('message', ({{ data }}) => data === 'leaderboard-signed-out' && told.push(data));
addEventListener('securitypolicyviolation', ({{ blockedURI }}) => violations.push(blockedURI));"""
# Answers whatever it hears, and sends tokens to the frame without being asked.
HOSTILE_SCRIPT = """window.heard = [];
addEventListener('message', ({ data, ports }) => {
  heard.push(data);
  for (const port of ports) port.postMessage('TOKEN');
});
setInterval(() => { for (const data of ['TOKEN', { token: 'TOKEN' }]) frames[0].postMessage(data, '*'); }, 20);"""

SHOWN = """(() => {
  const { shadowRoot } = document.querySelector('live-leaderboard');
  const texts = (selector) => [...(shadowRoot?.querySelectorAll(selector) ?? [])].map((found) => found.textContent);
  return { status: texts('[part=status]'), names: texts('[part=name]'), scores: texts('[part=score] .n'),
    mine: texts('[part~=you] [part=name]'), words: texts('[part=sign-in]') };
})()"""
# Chromium wants the second form of a cookie for all sites, WebKit the first.
KEPT = "(document.cookie = 'probe=1', document.cookie = 'probe=1; SameSite=None; Secure', document.cookie)"
# A machine that slept: its clock is ahead, and the reader looks at the page.
SLEEP = """(() => {
  const now = Date.now;
  Date.now = () => now() + 900_000;
  document.dispatchEvent(new Event('visibilitychange'));
})()"""


# What one engine does, the others nearly always do: they are for `make test-long`.
@pytest.fixture(scope="module", params=["chromium", *(pytest.param(name, marks=pytest.mark.long) for name in OTHERS)])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "firefox":
        with engines.firefox(folder) as firefox:
            yield firefox
    elif request.param == "webkit":
        with engines.webkit(folder) as webkit:
            yield webkit
    else:
        # Its shell, in which the other tests run, lets iframes keep cookies.
        yield engines.Chromium(request.getfixturevalue("chromium")(needed("chromium", "chromium")))


class Server:
    """The site's server: it tells the scoreboard what its user 42 did, and asks for tokens of user 42's page."""

    def __init__(self, scoreboard: str) -> None:
        self.scoreboard = scoreboard
        self.key = site_key("award", "viewers")

    def call(self, path: str, **body: Any) -> Any:
        headers = {"Content-Type": "application/json", **self.key}
        request = urllib.request.Request(f"{self.scoreboard}/api/v1/{path}", json.dumps(body).encode(), headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 (our own URL)
            return json.load(answer)["data"]

    def award(self) -> None:
        """10 points."""
        self.call("awards", id=str(uuid.uuid4()), player="42", name="alice", action_type="COMPLETE_TASK")

    def token(self) -> str:
        return str(self.call("viewer-tokens", player="42")["token"])

    def ending_token(self) -> str:
        """The same, for two seconds."""
        claims = jwt.decode(self.token(), options={"verify_signature": False})
        ends = {"exp": int(time.time()) + 2 - configured.JWT_LEEWAY}
        return jwt.encode({**claims, **ends}, viewer_tokens.secret(), algorithm=viewer_tokens.ALGORITHM)


@pytest.fixture
def server(site: Site) -> Server:
    server = Server(site.url)
    server.award()
    return server


def until(tab: Tab, condition: Callable[[dict[str, list[str]]], bool], what: str, *, frame: bool = False) -> None:
    """Waits for what the (first) board shows."""
    shown: dict[str, list[str]] = {}

    def holds() -> bool:
        shown.update(tab.ask(SHOWN, frame=frame))
        return condition(shown)

    try:
        eventually(holds, what)
    except AssertionError as error:
        raise AssertionError(f"{error}; shown: {shown}") from None


def lives_through_a_day(tab: Tab, site: Foreign, server: Server, *, told: list[str], frame: bool) -> None:
    """The reader's place, a push, the next token after a sleep, an end without a next one, and signing in again."""
    site.token = server.token()
    tab.open(f"{site.url}/sign-in")
    until(tab, lambda shown: shown["mine"] == ["alice"] and shown["status"] == ["Live"], "the own row", frame=frame)
    server.award()
    until(tab, lambda shown: shown["scores"] == ["20"], "the push", frame=frame)
    assert frame or site.asked == 1  # for all boards of the page

    site.token = server.ending_token()
    tab.ask(SLEEP, frame=frame)
    eventually(lambda: site.asked > 1, "the next token is asked for")
    until(tab, lambda shown: shown["words"] == [AGAIN] and shown["mine"] == [], "the end is said", frame=frame)
    eventually(lambda: tab.ask("told") == told, "the page is told")
    assert tab.ask(SHOWN, frame=frame)["names"] == ["alice"]

    site.token = server.token()
    tab.ask(SLEEP, frame=frame)
    until(tab, lambda shown: shown["mine"] == ["alice"] and shown["words"] == [""], "the own row again", frame=frame)


def test_the_element_of_a_site_with_its_own_readers(engine: Engine, site: Site, server: Server) -> None:
    tab = engine.tab()
    with serving(Foreign(site.url, ELEMENT, ELEMENT_POLICY, script=ELEMENT_SCRIPT)) as foreign:
        lives_through_a_day(tab, foreign, server, told=["global", "global"], frame=False)
        assert tab.ask("[told.length, violations]") == [2, []]


def test_the_iframe_on_a_site_with_its_own_readers(engine: Engine, site: Site, server: Server) -> None:
    tab = engine.tab()
    page = FRAME.replace("ORIGIN", f"http://localhost:{site.friend_port}")
    friend = Foreign(site.url, page, FRAME_POLICY, script=FRAME_SCRIPT, port=site.friend_port)
    with serving(friend) as foreign:
        lives_through_a_day(tab, foreign, server, told=["leaderboard-signed-out"], frame=True)
        assert tab.ask("[told.length, violations]") == [1, []]
        assert tab.ask(KEPT, frame=True) == ""
    tab.open(site.url)
    assert "probe=1" in tab.ask(KEPT)  # the engine keeps it here, and kept none in the frame


@pytest.mark.parametrize(
    ("engine", "claimed"),
    [
        pytest.param(engine, claimed, marks=[] if (engine, number) == ("chromium", 0) else pytest.mark.long)
        for engine in ["chromium", *OTHERS]
        for number, claimed in enumerate(["http://localhost:{friend}", "http://localhost:{own}", "*"])
    ],
    indirect=["engine"],
    scope="module",  # else each case would start its engine anew
)
def test_a_page_that_is_not_trusted_hears_nothing_from_the_iframe_and_tells_it_nothing(
    engine: Engine, site: Site, server: Server, claimed: str
) -> None:
    script = HOSTILE_SCRIPT.replace("TOKEN", server.token())
    tab = engine.tab()
    with serving(Foreign(site.url, FRAME, FRAME_POLICY, script=script)) as foreign:
        own = foreign.server_address[1]
        foreign.page = foreign.page.replace("ORIGIN", claimed.format(friend=site.friend_port, own=own))
        tab.open(foreign.url)
        until(tab, lambda shown: shown["status"] == ["Live"] and shown["names"] == ["alice"], "the board", frame=True)
        # Asked once more; messages of one window arrive in order.
        asks = tab.ask("Boolean(document.querySelector('live-leaderboard').getToken?.())", frame=True)
        assert asks == ("friend" in claimed)
        tab.ask("void setTimeout(() => parent.postMessage('after', '*'), 50)", frame=True)
        eventually(lambda: tab.ask("heard.includes('after')"), "the page hears what is for every page")
        assert tab.ask("heard") == ["after"]
        assert tab.ask(SHOWN, frame=True)["mine"] == []
        assert tab.ask("document.querySelector('live-leaderboard').token", frame=True) is None
