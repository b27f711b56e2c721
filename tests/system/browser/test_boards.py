"""Boards and periods in a real browser: picking one, counting down, and what a viewer sees when a period ends."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from scoreboard.models import BoardPeriod
from tests.support.boards import award, end_period, make
from tests.system.browser.accessibility import findings, photograph
from tests.system.browser.board import LIVE, ScriptedLive, names, row, score, status, until
from tests.system.browser.conftest import DESKTOP, PHONE, Visitors
from tests.system.browser.site import Site


def part(page: Page, name: str) -> Any:
    return page.locator(f"live-leaderboard [part={name}]")


def test_a_visitor_picks_a_board_and_watches_its_period_end(visitors: Visitors, alice: User, bob: User) -> None:
    make("weekly", window="weekly")
    award(alice, 10)
    page = visitors.page()
    page.goto("/")
    page.get_by_role("navigation", name="Boards").get_by_role("link", name="Weekly").click()
    expect(status(page)).to_have_text("Live")
    expect(part(page, "ends")).to_have_text(re.compile(r"^Ends in \d+ \w+"))
    award(alice, 5)
    expect(score(page, "alice")).to_have_text("15")
    first, second = end_period("weekly")
    expect(part(page, "notice")).to_have_text(f"{first} has ended. Now: {second}")
    expect(part(page, "empty")).to_be_visible()
    award(bob, 3)
    expect(names(page)).to_have_text(["bob"])
    expect(status(page)).to_have_text("Live")
    page.reload()
    page.get_by_role("navigation", name="Periods").get_by_role("link", name="Earlier").click()
    expect(status(page)).to_have_text("Final")
    expect(names(page)).to_have_text(["alice"])
    expect(score(page, "alice")).to_have_text("15")


@pytest.mark.long
@pytest.mark.parametrize("way", ["sse", "polling"])
def test_without_websocket_a_viewer_is_moved_on_too(visitors: Visitors, site: Site, alice: User, way: str) -> None:
    make("weekly", window="weekly")
    award(alice, 10)
    if way == "polling":
        site.stop("live")
    page = visitors.page()
    page.route_web_socket(LIVE, lambda socket: socket.close(code=1011))
    page.goto("/?board=weekly")
    expect(names(page)).to_have_text(["alice"])
    first, second = end_period("weekly")
    expect(part(page, "notice")).to_have_text(f"{first} has ended. Now: {second}")
    expect(names(page)).to_have_count(0)
    award(alice, 2)
    expect(score(page, "alice")).to_have_text("2")


@pytest.mark.long
@pytest.mark.parametrize("query", ["?board=weekly&period={key}", "?board=cup"])
def test_a_period_without_a_next_becomes_final_under_a_viewer(visitors: Visitors, alice: User, query: str) -> None:
    """One that was asked for by its key, and one of a board that ends with it."""
    make("weekly", window="weekly")
    make("cup", window="fixed", opens_at=timezone.now(), closes_at=timezone.now() + timedelta(hours=1))
    award(alice, 10)
    key = BoardPeriod.objects.filter(board__slug="weekly").order_by("starts_at")[0].key
    page = visitors.page()
    page.goto(f"/{query.format(key=key)}")
    expect(status(page)).to_have_text("Live")
    expect(score(page, "alice")).to_have_text("10")
    BoardPeriod.objects.filter(board__slug="cup").update(ends_at=timezone.now())
    end_period("weekly")
    expect(status(page)).to_have_text("Final")
    expect(score(page, "alice")).to_have_text("10")
    expect(part(page, "ends")).to_have_text("")
    expect(part(page, "retry")).to_be_hidden()


@pytest.mark.long
def test_a_closed_period_takes_no_connection_and_shows_the_viewers_place(visitors: Visitors, alice: User) -> None:
    make("weekly", window="weekly")
    others = [User.objects.create(username=f"p{number}", email=f"{number}@example.org") for number in range(10)]
    for other in others:
        award(other, 10)
    award(alice, 3)
    first, _ = end_period("weekly")
    page = visitors.page(visitors.profile(alice))
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(f"/?board=weekly&period={first}")
    expect(status(page)).to_have_text("Final")
    expect(names(page)).to_have_count(11)
    expect(part(page, "rank").last).to_have_text("11")
    page.evaluate("document.querySelector('live-leaderboard').limit = 3")
    expect(names(page)).to_have_count(4)
    assert sockets == []
    page.evaluate("document.querySelector('live-leaderboard').period = null")
    expect(status(page)).to_have_text("Live")
    expect(names(page)).to_have_count(0)
    page.evaluate("document.querySelector('live-leaderboard').period = '2020-W01'")
    expect(status(page)).to_have_text("There is no such board")


@pytest.mark.long
def test_all_of_it_works_without_script(visitors: Visitors, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(region="EU")
    make("region", window="weekly", attribute="region", attribute_value="*")
    award(alice, 10)
    end_period("region")
    page = visitors.page(visitors.profile(script=False, size=PHONE))
    page.goto("/")
    page.get_by_role("link", name="Region").click()
    expect(page.get_by_text("Nobody has scored yet")).to_be_visible()
    page.get_by_role("link", name="Earlier").click()
    expect(page.locator(".first-rows bdi")).to_have_text(["alice"])
    expect(page.get_by_role("navigation", name="Periods")).to_contain_text("Final ranks")
    page.get_by_role("link", name="Now").click()
    expect(page.locator(".first-rows bdi")).to_have_count(0)


@pytest.mark.parametrize(
    ("size", "dark"),
    [
        (PHONE, True),
        pytest.param(PHONE, False, marks=pytest.mark.long),
        pytest.param(DESKTOP, True, marks=pytest.mark.long),
        pytest.param(DESKTOP, False, marks=pytest.mark.long),
    ],
)
def test_boards_and_periods_have_no_serious_findings(
    visitors: Visitors, alice: User, size: tuple[int, int], dark: bool
) -> None:
    User.objects.filter(pk=alice.pk).update(region="EU")
    for number, region in enumerate(["AF", "AS", "NA", "OC", "SA", "the-land-at-the-end-of-the-world"]):
        User.objects.create(username=f"p{number}", email=f"{number}@example.org", region=region)
    make("weekly", window="weekly", description="Points since Monday.")
    make("region", window="weekly", attribute="region", attribute_value="*", zone="America/Argentina/ComodRivadavia")
    make("cup", window="fixed", opens_at=timezone.now(), closes_at=timezone.now() + timedelta(hours=1))
    make("frozen", freeze_at=timezone.now() - timedelta(days=3, hours=1))
    award(alice, 10)
    BoardPeriod.objects.filter(board__slug="cup").update(ends_at=timezone.now())
    first, _ = end_period("weekly")
    award(alice, 12)
    page = visitors.page(visitors.profile(size=size, dark=dark, still=True))
    found = []
    for path, state in {
        "/": "Live",
        "/?board=weekly": "Live",
        "/?board=region.eu": "Live",
        "/?board=cup": "Final",
        "/?board=frozen": "Frozen 3 days ago",
        f"/?board=weekly&period={first}": "Final",
        f"/embed/weekly?period={first}": "Final",
        "/embed?board=cup": "",
    }.items():
        page.goto(path)
        if state:
            expect(status(page)).to_have_text(state)
        name = f"{re.sub(r'[^a-z0-9]+', '-', path)}-{size[0]}-{'dark' if dark else 'light'}"
        photograph(page, f"boards{name}")
        found += [f"{name}: {finding}" for finding in findings(page)]
        if page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") > 0:
            found.append(f"{name}: wider than the window")
    assert found == []


# --- before a scripted server ---


@pytest.fixture
def page(visitors: Visitors) -> Page:
    page = visitors.page()
    page.clock.install()
    return page


@pytest.fixture
def live(page: Page) -> ScriptedLive:
    live = ScriptedLive(page)
    page.goto("/embed/global")
    expect(status(page)).to_have_text("Live")
    return live


def iso(unix_ms: float) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat()


def greet(page: Page, live: ScriptedLive, *, ahead: timedelta, left: timedelta) -> None:
    """The server's clock is `ahead` of the page's, and by it the period ends when what is `left` has passed."""
    now = page.evaluate("Date.now()") + ahead.total_seconds() * 1000
    ends_at = iso(now + left.total_seconds() * 1000)
    live.say("connection_success", board="weekly", period="2026-W47", ends_at=ends_at, now=iso(now))


@pytest.mark.parametrize("hours", [0, pytest.param(5, marks=pytest.mark.long), -5])
def test_the_countdown_goes_by_the_servers_clock(page: Page, live: ScriptedLive, hours: int) -> None:
    ahead = timedelta(hours=hours)
    greet(page, live, ahead=ahead, left=timedelta(days=2, minutes=5))
    expect(part(page, "ends")).to_have_text("Ends in 2 days")
    greet(page, live, ahead=ahead, left=timedelta(hours=47, minutes=55))
    expect(part(page, "ends")).to_have_text("Ends in 47 hr.")
    greet(page, live, ahead=ahead, left=timedelta(minutes=10, seconds=50))
    expect(part(page, "ends")).to_have_text("Ends in 10 min.")
    page.clock.fast_forward(10 * 60_000)
    expect(part(page, "ends")).to_have_text(re.compile(r"^Ends in [1-5]?\d sec\.$"))
    page.clock.fast_forward(60_000)
    expect(part(page, "ends")).to_have_text("")


def test_a_notice_is_said_once_and_for_a_while(page: Page, live: ScriptedLive) -> None:
    this: dict[str, Any] = {"period": "2026-W47", "ends_at": iso(page.evaluate("Date.now()") + 60_000)}
    following: dict[str, Any] = {
        "period": "2026-W48",
        "ends_at": iso(page.evaluate("Date.now()") + 3 * 86_400_000 + 60_000),
    }
    live.show(row(1, "before", 20), seq=500, **this)
    expect(names(page)).to_have_text(["before"])
    live.say("notice", code="tomorrow", period="2026-W47", next="2026-W49", detail="Of a kind that is not known.")
    won = "You <b>won</b>!"
    live.say("notice", code="placed", board="weekly", period="2026-W47", rank=1, detail=won)
    expect(part(page, "notice")).to_have_text(won)
    live.say("notice", code="closed", period="2026-W47", next="2026-W48", detail="In English")
    expect(part(page, "notice")).to_have_text(f"{won} 2026-W47 has ended. Now: 2026-W48")
    expect(part(page, "ends")).to_have_text("")
    live.show(row(1, "after", 1), seq=1, epoch="e2", **following)
    expect(names(page)).to_have_text(["after"])
    expect(part(page, "ends")).to_have_text("Ends in 3 days")
    page.clock.fast_forward(31_000)
    live.show(row(1, "later", 2), seq=2, epoch="e2", **following)
    expect(names(page)).to_have_text(["later"])
    expect(part(page, "notice")).to_have_text(f"{won} 2026-W47 has ended. Now: 2026-W48")
    page.clock.fast_forward(31_000)
    expect(part(page, "notice")).to_have_text("")


def test_a_freeze_is_shown_as_such_and_ends_with_the_reveal(page: Page, live: ScriptedLive) -> None:
    greet(page, live, ahead=timedelta(hours=-5), left=timedelta(minutes=30, seconds=50))
    frozen_at = iso(page.evaluate("Date.now()") - 5 * 3_600_000 - 90_000)
    live.say("notice", code="frozen", period="2026-W47", frozen_at=frozen_at, detail="In English")
    expect(status(page)).to_have_text("Frozen 1 min. ago")
    expect(part(page, "ends")).to_have_text("Ends in 30 min.")
    live.show(row(1, "x", 1), seq=1, frozen_at=frozen_at)
    expect(names(page)).to_have_text(["x"])
    expect(status(page)).to_have_text("Frozen 1 min. ago")
    live.say("notice", code="revealed", period="2026-W47", detail="In English")
    expect(status(page)).to_have_text("Live")
    expect(part(page, "notice")).to_have_text("")


def test_the_page_is_told_which_period_is_shown(page: Page, live: ScriptedLive) -> None:
    page.evaluate(
        """window.periods = [];
        document.addEventListener('leaderboard-update', ({ detail }) => periods.push(detail.period))"""
    )
    live.show(row(1, "x", 1), seq=1)
    live.show(row(1, "x", 2), seq=2, period="2026-W47", ends_at=iso(0))
    until(page, lambda: page.evaluate("periods.length") == 2, "both updates are heard")
    assert page.evaluate("periods") == [None, "2026-W47"]
