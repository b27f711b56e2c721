"""The board page under real conditions: players score, servers go and come back, Redis forgets."""

import re
import signal

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.support.fixtures import forget_keys
from tests.support.people import give, player
from tests.support.processes import eventually
from tests.system.browser.board import LIVE, line, names, open_board, score, status
from tests.system.browser.conftest import Visitors
from tests.system.browser.site import Site

NOT_LIVE = re.compile("last updated .+ ago|Updating every few seconds")


def sent_rows(page: Page) -> list[str]:
    """The first rows in the page as it is sent: what `web` remembers, which may be a moment old."""
    page.goto("/")
    return page.locator(".first-rows bdi").all_inner_texts()


def test_what_one_visitor_does_another_sees(visitors: Visitors, alice: User, bob: User) -> None:
    give(bob, 30)
    watching = open_board(visitors.page())
    acting = visitors.page(visitors.profile(alice))
    acting.goto("/play")
    acting.get_by_role("button", name="Win a match").click()
    expect(score(watching, "alice")).to_have_text("50")
    expect(names(watching)).to_have_text(["alice", "bob"])
    expect(watching.locator("live-leaderboard [part=players]")).to_have_text("2 players")


def test_a_signed_in_viewer_sees_their_own_line_below_the_top(visitors: Visitors, alice: User) -> None:
    for points in range(100, 110):
        give(player(), points)
    give(alice, 7)
    page = open_board(visitors.page(visitors.profile(alice)))
    own = line(page, "You")
    expect(own.locator("[part=rank]")).to_have_text("11")
    expect(own.locator("[part=score] .n")).to_have_text("7")
    give(alice, 200)
    expect(line(page, "alice").first).to_have_attribute("part", re.compile(r"\byou\b"))
    expect(own).to_have_count(0)


def test_live_is_killed_under_an_open_page(visitors: Visitors, site: Site, alice: User) -> None:
    """The page says that it is not live, asks `web` meanwhile, and is live again when `live` is."""
    give(alice, 10)
    page = open_board(visitors.page())
    site.stop("live", how=signal.SIGKILL)
    expect(status(page)).to_have_text(NOT_LIVE)
    give(alice, 10)
    expect(score(page, "alice")).to_have_text("20")
    site.start("live")
    expect(status(page)).to_have_text("Live")
    give(alice, 10)
    expect(score(page, "alice")).to_have_text("30")


@pytest.mark.long
def test_the_whole_site_is_restarted_under_an_open_page(visitors: Visitors, site: Site, alice: User) -> None:
    give(alice, 10)
    page = open_board(visitors.page())
    expect(score(page, "alice")).to_have_text("10")
    site.stop()
    expect(status(page)).to_have_text(re.compile(r"^Reconnecting… · last updated \d+ sec\. ago$"))
    expect(score(page, "alice")).to_have_text("10")
    give(alice, 5)
    site.start()
    expect(score(page, "alice")).to_have_text("15")
    expect(status(page)).to_have_text("Live")


@pytest.mark.long
def test_redis_is_flushed_under_an_open_page(visitors: Visitors, site: Site, alice: User, bob: User) -> None:
    """What was shown stays, the board is rebuilt by itself, and pushes go on under the new epoch."""
    give(alice, 20)
    give(bob, 10)
    page = open_board(visitors.page())
    expect(names(page)).to_have_text(["alice", "bob"])
    forget_keys(site.redis_prefix)
    expect(names(page)).to_have_text(["alice", "bob"])
    give(bob, 25)
    expect(names(page)).to_have_text(["bob", "alice"])
    expect(status(page)).to_have_text("Live")


def test_a_name_that_is_markup_stays_text(visitors: Visitors) -> None:
    name = "<img src=x onerror=document.title='pwned'>"
    mallory = player(name)
    give(mallory, 9)
    page = open_board(visitors.page(visitors.profile(mallory)))
    expect(names(page)).to_have_text([name])
    page.goto("/play")
    expect(names(page)).to_have_text([name])
    expect(page.locator(".who bdi")).to_have_text(name)
    page.goto("/embed/global")
    expect(names(page)).to_have_text([name])
    assert page.title() == "All players"
    silent = visitors.page(visitors.profile(mallory, script=False))
    eventually(lambda: sent_rows(silent) == [name], "the name is in the page as it was sent")
    assert page.locator("img[src='x']").count() == silent.locator("img[src='x']").count() == 0


def test_without_script_the_first_rows_are_there(visitors: Visitors, alice: User, bob: User) -> None:
    give(alice, 5)
    give(bob, 8)
    page = visitors.page(visitors.profile(script=False))
    eventually(lambda: sent_rows(page) == ["bob", "alice"], "the rows are in the page as it was sent")


def test_without_websocket_the_board_comes_by_sse(visitors: Visitors, alice: User, bob: User) -> None:
    give(alice, 5)
    page = visitors.page(visitors.profile(bob))
    page.add_init_script("addEventListener('leaderboard-state', ({ detail }) => (window.way = detail.transport))")
    page.route_web_socket(LIVE, lambda socket: socket.close(code=1011))
    open_board(page)
    assert page.evaluate("way") == "sse"
    give(alice, 5)
    expect(score(page, "alice")).to_have_text("10")
    give(bob, 1)
    expect(line(page, "bob")).to_have_attribute("part", re.compile(r"\byou\b"))


def test_without_either_the_board_is_polled_for_and_says_so(visitors: Visitors, site: Site, alice: User) -> None:
    give(alice, 5)
    site.stop("live")
    page = visitors.page()
    page.add_init_script("addEventListener('leaderboard-update', ({ detail }) => (window.period = detail.period))")
    page.goto("/")
    expect(status(page)).to_have_text("Updating every few seconds")
    assert page.evaluate("period") is None  # as over a connection: this board has no periods
    # The browser's own conditional requests: an unchanged board costs its ETag.
    with page.expect_request(re.compile("/scoreboard/top")) as asked:
        pass
    assert "if-none-match" in asked.value.all_headers()
    give(alice, 5)
    expect(score(page, "alice")).to_have_text("10")


def test_a_tab_in_the_background_lets_go_and_comes_back(visitors: Visitors, alice: User) -> None:
    give(alice, 5)
    page = visitors.page()
    page.clock.install()
    open_board(page)
    hide = """state => {
        Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    page.evaluate(hide, "hidden")
    page.clock.fast_forward(6_000)
    expect(status(page)).to_have_text(re.compile("^Paused"))
    give(alice, 5)
    page.evaluate(hide, "visible")
    expect(status(page)).to_have_text("Live")
    expect(score(page, "alice")).to_have_text("10")
