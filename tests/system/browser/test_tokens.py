"""The reader's own line, for as long as the reader's token or session is good, and not for a moment longer."""

import base64
import json
import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from playwright.sync_api import Page, Route, expect

from accounts.models import User
from tests.support.boards import award, make
from tests.support.people import access_token, give, player
from tests.system.browser.board import (
    AGAIN,
    LIVE,
    ScriptedLive,
    line,
    names,
    row,
    score,
    status,
    stop_clock,
    until,
)
from tests.system.browser.conftest import Visitors
from tests.system.browser.site import Site

RECORD = """window.told = []; addEventListener('leaderboard-signed-out', ({ detail }) => told.push(detail.board));
addEventListener('leaderboard-update', ({ detail }) => (window.you = detail.you))"""
GIVE = "token => (document.querySelector('live-leaderboard').token = token)"


def short_lived(user: User, seconds: int) -> str:
    """A token of ours that the server takes for so long, its leeway included."""
    lifetime = timedelta(seconds=seconds - configured.JWT_LEEWAY)
    return access_token(user, lifetime)


def unsigned(exp: float) -> str:
    """What a scripted server is given: the element looks at nothing but `exp`."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": exp}).encode()).decode().rstrip("=")
    return f"e30.{claims}.{exp}"


def signed_out(page: Page) -> None:
    """The element has said so once, shows no own line, and goes on showing the board."""
    expect(page.locator("live-leaderboard [part=sign-in]")).to_have_text(AGAIN)
    expect(line(page, "You")).to_have_count(0)
    expect(page.locator("live-leaderboard [part~=you]")).to_have_count(0)
    expect(names(page)).not_to_have_count(0)
    assert page.evaluate("[told, you, document.querySelector('live-leaderboard').token]") == [["global"], None, None]


def own_line(page: Page) -> None:
    """It is there, below the top."""
    expect(line(page, "You")).to_have_count(1)
    expect(page.locator("live-leaderboard [part=sign-in]")).to_be_hidden()


@pytest.fixture
def low(site: Site, alice: User) -> User:
    """alice, below the ten rows that the page shows."""
    for points in range(100, 110):
        give(player(), points)
    give(alice, 3)
    return alice


@pytest.mark.parametrize("way", [pytest.param("live", marks=pytest.mark.long), "polling"])
def test_when_a_token_ends_the_own_line_goes_and_the_board_stays(
    visitors: Visitors, site: Site, low: User, way: str
) -> None:
    """The tester's case: while polling, the own line stood still for ever."""
    if way == "polling":
        site.stop("live")
    page = visitors.page()
    page.add_init_script(RECORD)
    page.goto("/embed/global?limit=10")
    expect(status(page)).to_have_text("Live" if way == "live" else "Updating every few seconds")
    page.evaluate(GIVE, short_lived(low, 600))
    own_line(page)
    page.evaluate(GIVE, short_lived(low, 5))
    signed_out(page)
    give(player("newcomer"), 1000)
    expect(names(page).first).to_have_text("newcomer")
    expect(status(page)).to_have_text("Live" if way == "live" else "Updating every few seconds")


@pytest.mark.parametrize("visibility", ["signed-in", "public"])
def test_a_token_that_comes_when_the_connection_is_there_shows_a_board_for_the_signed_in(
    visitors: Visitors, site: Site, alice: User, visibility: str
) -> None:
    """As from `auth-url`, which is asked meanwhile; of such a board the server says nothing before it has the token."""
    make("members", visibility=visibility)
    award(alice, 3)
    page = visitors.page()
    opened: list[object] = []
    page.on("websocket", lambda socket: opened.append(socket))
    page.goto("/embed/members")
    until(page, lambda: len(opened) == 1, "it connects")
    page.wait_for_timeout(500)
    page.evaluate(GIVE, short_lived(alice, 600))
    expect(status(page)).to_have_text("Live")
    expect(page.locator("live-leaderboard [part~=you]")).to_have_count(1)
    expect(names(page)).to_have_text(["alice"])
    assert len(opened) == 1


def events(*messages: dict[str, Any]) -> str:
    return "".join(f"event: {message['type']}\ndata: {json.dumps(message)}\n\n" for message in messages)


def test_a_session_that_ends_over_sse_is_said(visitors: Visitors) -> None:
    """`live` says so on the open stream; here the stream also ends, and the next one knows no user."""
    page = visitors.page()
    page.add_init_script(RECORD)
    page.route_web_socket(LIVE, lambda socket: socket.close(code=1011))
    top = {"type": "leaderboard_update", "epoch": "e", "seq": 1, "players": 9, "top": [row(1, "x", 50)]}
    hello = {"type": "connection_success", "epoch": "e", "seq": 1, "user_id": "id-me"}
    nobody = {**hello, "user_id": None}
    answers = [
        events(hello, top, {"type": "you", "score": 4, "rank": 7, "players": 9}),
        events(hello, {"type": "error", "code": "not-authenticated", "detail": "…"}, nobody),
        events(nobody),
    ]

    def answer(route: Route) -> None:
        body = answers.pop(0) if len(answers) > 1 else answers[0]
        route.fulfill(status=200, content_type="text/event-stream", body=body)

    page.route(re.compile("/scoreboard/stream"), answer)
    page.goto("/")
    signed_out(page)


def test_while_polling_a_late_refusal_is_not_the_next_tokens(visitors: Visitors) -> None:
    """The page is given its token while the question without one is under way."""
    page = visitors.page()
    page.add_init_script(RECORD)
    page.route_web_socket(LIVE, lambda socket: socket.close(code=1011))
    page.route(re.compile("/scoreboard/stream"), lambda route: route.abort())
    held: list[Route] = []
    top = {"epoch": "e", "seq": 1, "players": 9, "data": [row(1, "x", 50)]}
    page.route(re.compile("/scoreboard/top"), lambda route: route.fulfill(json=top))

    def answer(route: Route) -> None:
        mine = {"user_id": "id-me", "score": 4, "rank": 7, "players": 9}
        if "authorization" in route.request.headers:
            route.fulfill(json={"data": mine})
        else:
            held.append(route)

    page.route(re.compile("/score/me"), answer)
    page.goto("/embed/global")
    until(page, lambda: len(held) == 1, "the question without a token")
    page.evaluate(GIVE, unsigned(time.time() + 600))
    held[0].fulfill(status=401, json={})
    own_line(page)
    assert page.evaluate("told") == []


@pytest.fixture
def page(visitors: Visitors) -> Page:
    page = visitors.page()
    page.clock.install()
    page.add_init_script(RECORD)
    return page


@pytest.fixture
def live(page: Page) -> ScriptedLive:
    live = ScriptedLive(page)
    page.goto("/")
    expect(status(page)).to_have_text("Live")
    live.show(row(1, "x", 50), seq=1, players=9)
    return live


def accept(live: ScriptedLive) -> None:
    """On every connection that there is."""
    hello = {"type": "connection_success", "board": "global", "user_id": "id-me"}
    for socket in live.sockets:
        socket.send(json.dumps(hello))
        socket.send(json.dumps({"type": "you", "score": 4, "rank": 7, "players": 9}))


def refuse(live: ScriptedLive) -> None:
    live.say("error", code="not-authenticated", detail="The token has expired.")


def tokens(live: ScriptedLive) -> list[object]:
    return [message["token"] for message in live.heard if message["type"] == "authenticate"]


def test_a_lost_connection_does_not_keep_the_own_line_alive(page: Page, live: ScriptedLive) -> None:
    page.evaluate(GIVE, unsigned(time.time() + 600))
    accept(live)
    own_line(page)
    live.say("bye", retry_ms=3_600_000)
    page.clock.fast_forward(300_000)
    own_line(page)
    page.clock.fast_forward(400_000)
    signed_out(page)
    expect(status(page)).to_have_text(re.compile("^Reconnecting"))


def test_a_session_that_is_gone_after_a_reconnection_is_said(page: Page, live: ScriptedLive) -> None:
    """The first greeting of a connection knows no user yet, so it is given a moment."""
    accept(live)
    own_line(page)
    stop_clock(page)  # a slow machine must not take that moment
    live.user_id = None
    live.sockets[-1].close(code=1012)
    page.clock.fast_forward(31_000)
    until(page, lambda: len(live.sockets) == 2, "it comes back")
    own_line(page)
    page.clock.fast_forward(6_000)
    page.clock.run_for(1_000)
    signed_out(page)
    accept(live)  # and signing in again ends it
    own_line(page)


def test_after_a_refusal_what_an_earlier_token_would_show_is_not_shown(page: Page, live: ScriptedLive) -> None:
    """The server keeps the viewer of the token before, if the next one is bad."""
    page.evaluate(GIVE, unsigned(time.time() + 600))
    accept(live)
    own_line(page)
    page.evaluate(GIVE, "bad")
    refuse(live)
    signed_out(page)
    live.say("you", score=5, rank=6, players=9)
    live.show(row(1, "x", 51), seq=2, players=9)
    expect(score(page, "x")).to_have_text("51")
    signed_out(page)
    page.evaluate(GIVE, unsigned(time.time() + 700))
    accept(live)
    own_line(page)


SOURCE = """ends => {
    window.asked = [];
    const getToken = async () => {
        const left = ends.shift();
        asked.push(Date.now());
        return left ? `e30.${btoa(JSON.stringify({ exp: Date.now() / 1000 + left }))}.${left}` : null;
    };
    for (const board of document.querySelectorAll('live-leaderboard')) board.getToken = getToken;
}"""


def test_a_token_that_comes_late_is_given_time_to_be_accepted(page: Page, live: ScriptedLive) -> None:
    """Of a connection that has known nobody for longer than a new one is given."""
    stop_clock(page)
    page.clock.fast_forward(10_000)
    page.evaluate(GIVE, unsigned(time.time() + 900))
    until(page, lambda: len(tokens(live)) == 1, "the server has the token")
    page.clock.run_for(2_000)
    assert page.evaluate("[told, Boolean(document.querySelector('live-leaderboard').token)]") == [[], True]
    page.clock.run_for(6_000)
    signed_out(page)
    page.evaluate(GIVE, unsigned(time.time() + 901))
    accept(live)
    own_line(page)


def test_a_token_is_renewed_before_its_end_once_for_all_boards(page: Page, live: ScriptedLive) -> None:
    live.accepts = "id-me"
    page.evaluate("document.querySelector('main').append(document.createElement('live-leaderboard'))")
    until(page, lambda: len(live.sockets) == 2, "both boards are connected")
    page.evaluate(SOURCE, [900, 901])
    until(page, lambda: len(tokens(live)) == 2, "both boards have the token")
    page.clock.fast_forward(800_000)
    assert page.evaluate("asked.length") == 1
    page.clock.fast_forward(50_000)
    page.clock.run_for(1_000)
    until(page, lambda: len(set(tokens(live))) == 2, "the boards have the next token")
    assert page.evaluate("asked.length") == 2
    read = "[...document.querySelectorAll('live-leaderboard')].map(board => board.token)"
    assert len(set(page.evaluate(read))) == 1


def test_after_a_sleep_the_next_token_is_asked_for_at_once(page: Page, live: ScriptedLive) -> None:
    page.evaluate(SOURCE, [900, 901])
    until(page, lambda: len(tokens(live)) == 1, "the board has a token")
    accept(live)
    page.clock.fast_forward("08:00:00")  # a closed laptop: every timer fires once, late
    page.clock.run_for(1_000)
    until(page, lambda: page.evaluate("asked.length") == 2, "it asks again")
    until(page, lambda: len(set(tokens(live))) == 2, "the server is told")
    assert page.evaluate("told") == []


def test_where_no_further_token_is_to_be_had_it_says_so_until_there_is_one(page: Page, live: ScriptedLive) -> None:
    page.evaluate(SOURCE, [900, None, None, 902])
    until(page, lambda: len(tokens(live)) == 1, "the board has a token")
    accept(live)
    own_line(page)
    page.clock.fast_forward(850_000)  # renewing brings none, but the token is good for another minute
    page.clock.run_for(1_000)
    until(page, lambda: page.evaluate("asked.length") == 2, "it asks again")
    own_line(page)
    refuse(live)
    until(page, lambda: page.evaluate("asked.length") == 3, "the site has said no again")
    signed_out(page)
    for _ in range(2):  # the reader signs in elsewhere and comes back to this page
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.clock.run_for(6_000)
    until(page, lambda: len(set(tokens(live))) == 2, "the next token is used")
    accept(live)
    own_line(page)


def test_a_token_that_never_was_any_good_is_not_asked_for_in_a_loop(page: Page, live: ScriptedLive) -> None:
    page.evaluate(SOURCE, list(range(900, 990)))
    until(page, lambda: len(tokens(live)) == 1, "the board has a token")
    refuse(live)
    signed_out(page)
    page.clock.run_for(20_000)
    assert page.evaluate("asked.length") == 1
    page.clock.run_for(20_000)
    assert page.evaluate("asked.length") == 2


def test_a_function_that_never_answers_is_asked_again(page: Page, live: ScriptedLive) -> None:
    page.evaluate(
        """token => {
            window.asked = 0;
            const answer = () => (++asked === 1 ? new Promise(() => {}) : Promise.resolve(token));
            document.querySelector('live-leaderboard').getToken = answer;
        }""",
        unsigned(time.time() + 900),
    )
    until(page, lambda: page.evaluate("asked") == 1, "it asks")
    page.clock.run_for(50_000)
    until(page, lambda: len(tokens(live)) == 1, "the board has a token")
    assert page.evaluate("asked") == 2


def test_a_visitor_whom_the_site_does_not_know_is_told_nothing(page: Page, live: ScriptedLive) -> None:
    page.evaluate(SOURCE, [None])
    until(page, lambda: page.evaluate("asked.length") == 1, "it asks")
    page.clock.run_for(60_000)
    assert page.evaluate("[asked.length, told]") == [1, []]
    expect(page.locator("live-leaderboard [part=sign-in]")).to_be_hidden()


def test_the_sites_own_address_gives_tokens_to_its_own_cookies(page: Page, live: ScriptedLive) -> None:
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.all_headers().get("cookie", ""))
        route.fulfill(json={"token": unsigned(time.time() + 900)})

    page.route("**/board-token", answer)
    page.context.add_cookies([{"name": "visitor", "value": "42", "url": page.url}])
    page.evaluate("document.querySelector('live-leaderboard').setAttribute('auth-url', '/board-token')")
    until(page, lambda: len(tokens(live)) == 1, "the board has a token")
    assert ["visitor=42" in cookie for cookie in asked] == [True]
