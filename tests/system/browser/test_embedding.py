"""The board on another site's page: another origin, no cookies, a policy of its own."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from accounts.models import User
from tests.support.people import access_token, give, player
from tests.system.browser.board import names, score, status
from tests.system.browser.conftest import Visitors
from tests.system.browser.foreign import Foreign, serving
from tests.system.browser.site import Site

PAGE = """<!doctype html><html lang="en"><title>Somebody else's page</title>
<script type="module" src="{site}/static/leaderboard/live-leaderboard.js"></script>
<live-leaderboard src="{site}" board="global" limit="10" theme="auto">
<a href="{site}/">The leaderboard</a></live-leaderboard>
<iframe src="{site}/embed/global?limit=5&amp;theme=dark" title="Leaderboard" width="600" height="600"></iframe>"""
POLICY = "default-src 'none'; script-src {site}; connect-src {site} {socket}; img-src https:; frame-src {site}"


@pytest.fixture
def foreign(site: Site) -> Iterator[Foreign]:
    with serving(Foreign(site.url, PAGE, POLICY)) as server:
        yield server


def test_the_element_is_live_on_a_foreign_page(visitors: Visitors, foreign: Foreign, alice: User) -> None:
    give(alice, 10)
    page = visitors.page()
    page.goto(foreign.url)
    expect(status(page)).to_have_text("Live")
    give(alice, 10)
    expect(score(page, "alice")).to_have_text("20")


@pytest.mark.long
def test_without_live_the_foreign_page_polls(visitors: Visitors, foreign: Foreign, site: Site, alice: User) -> None:
    give(alice, 10)
    site.stop("live")
    page = visitors.page()
    page.goto(foreign.url)
    expect(status(page)).to_have_text("Updating every few seconds")
    expect(score(page, "alice")).to_have_text("10")
    page.evaluate("token => (document.querySelector('live-leaderboard').token = token)", access_token(alice))
    expect(page.locator("live-leaderboard [part~=you]")).to_contain_text("alice")


def test_a_token_shows_the_readers_line_on_a_foreign_page(visitors: Visitors, foreign: Foreign, alice: User) -> None:
    for points in range(100, 110):
        give(player(), points)
    give(alice, 3)
    page = visitors.page()
    page.goto(foreign.url)
    expect(status(page)).to_have_text("Live")
    page.evaluate("token => (document.querySelector('live-leaderboard').token = token)", access_token(alice))
    expect(names(page).last).to_have_text("You")
    expect(page.locator("live-leaderboard [part~=you] [part=rank]")).to_have_text("11")


def test_a_session_here_means_nothing_on_a_foreign_page(visitors: Visitors, foreign: Foreign, alice: User) -> None:
    """Another site must not learn who its reader is."""
    give(alice, 3)
    page = visitors.page(visitors.profile(alice))
    page.goto(foreign.url)
    expect(names(page)).to_have_text(["alice"])
    expect(page.locator("live-leaderboard [part~=you]")).to_have_count(0)


def test_the_iframe_is_live_too(visitors: Visitors, foreign: Foreign, alice: User) -> None:
    for points in range(100, 110):
        give(player(), points)
    page = visitors.page()
    page.goto(foreign.url)
    frame = page.frame_locator("iframe")
    expect(frame.locator("live-leaderboard [part=status]")).to_have_text("Live")
    expect(frame.locator("live-leaderboard [part=name]")).to_have_count(5)
    give(alice, 500)
    expect(frame.locator("live-leaderboard [part=name]").first).to_have_text("alice")
    assert frame.locator("live-leaderboard").evaluate("e => getComputedStyle(e).colorScheme") == "dark"


def test_the_pages_own_content_is_shown_until_the_board_comes(visitors: Visitors, foreign: Foreign, site: Site) -> None:
    page = visitors.page()
    page.route(re.compile(f"{site.url}/(api|scoreboard)/.*"), lambda route: route.abort())
    page.route_web_socket(re.compile("/scoreboard/live"), lambda socket: socket.close(code=1011))
    page.goto(foreign.url)
    expect(page.get_by_role("link", name="The leaderboard")).to_be_visible()
    expect(status(page)).to_have_text(re.compile("^Reconnecting"))
