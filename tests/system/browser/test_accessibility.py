"""Every page, on a phone and a desktop, light and dark: no serious findings, nothing out of sight, all by keyboard.

With SCREENSHOTS=<folder> each page is also photographed there, for people to look at.
"""

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from accounts.models import User
from tests.support.people import give, player
from tests.system.browser.accessibility import SIZES, SOME, findings, photograph
from tests.system.browser.board import status
from tests.system.browser.conftest import PHONE, Visitors

PAGES = [
    "/",
    "/accounts/sign-in",
    "/accounts/sign-up",
    "/accounts/password",
    "/embed",
    "/embed/global",
    "/no-such-page",
]
SIGNED_IN = ["/play", "/accounts/me", "/accounts/me/password", "/accounts/me/delete"]
CROWD = [
    ("Nadia", 241_870),
    ("さくら", 228_400),
    ("Ольга Петренко", 213_000),
    ("محمد الأمين", 187_000),
    ("🦊 Fennec", 155_000),
    ("The one with a very long name which only just fits", 111_000),
    ("Zoë", 9_860),
    ("김민준", 8_640),
    ("प्रिया", 1_460),
    ("O'Sullivan", 131),
]


@pytest.fixture
def crowd(site: object, alice: User) -> User:
    """A board as people make it, and alice far below its top."""
    for name, points in CROWD:
        give(player(name), points)
    give(alice, 64)
    return alice


@pytest.mark.parametrize(
    ("size", "dark"),
    [
        pytest.param(size, dark, marks=[] if (size, dark) in SOME else pytest.mark.long)
        for size in SIZES
        for dark in (False, True)
    ],
)
def test_no_page_has_serious_findings_or_overflows(visitors: Visitors, crowd: User, size: str, dark: bool) -> None:
    visitor = visitors.page(visitors.profile(size=SIZES[size], dark=dark, still=True))
    player = visitors.page(visitors.profile(crowd, size=SIZES[size], dark=dark, still=True))
    found = []
    for path in PAGES + SIGNED_IN:
        page = player if path in SIGNED_IN else visitor
        page.goto(path)
        for shown in status(page).all():
            expect(shown).to_have_text("Live")
        for board in page.locator("live-leaderboard").all():
            expect(board.locator("[part=name]").first).to_have_text("Nadia")
        name = f"{path.strip('/').replace('/', '-') or 'board'}-{size}-{'dark' if dark else 'light'}"
        photograph(page, name)
        found += [f"{name}: {finding}" for finding in findings(page)]
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if overflow > 0:
            found.append(f"{name}: {overflow} px wider than the window")
    assert found == []


@pytest.mark.parametrize("dark", [pytest.param(False, marks=pytest.mark.long), True], ids=["light", "dark"])
def test_messages_and_refusals_have_no_serious_findings(visitors: Visitors, crowd: User, dark: bool) -> None:
    page = visitors.page(visitors.profile(size=PHONE, dark=dark))
    page.goto("/accounts/sign-up")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("E-mail").fill("new@example.org")
    page.get_by_label("Password").fill("12345678")
    page.get_by_role("button", name="Sign up and play").click()
    expect(page.get_by_label("Password")).to_have_attribute("aria-invalid", "true")
    photograph(page, f"refused-{dark}")
    found = findings(page)
    page = visitors.page(visitors.profile(crowd, size=PHONE, dark=dark, still=True))
    page.route("**/api/v1/score/update", lambda route: route.abort())
    page.goto("/play")
    page.get_by_role("button", name="Win a match").click()
    expect(page.get_by_role("alert")).to_be_visible()
    photograph(page, f"toast-{dark}")
    assert found + findings(page) == []


def test_the_header_of_a_phone_has_two_rows_for_whoever_is_signed_in(visitors: Visitors, crowd: User) -> None:
    """Nothing is cut off or hidden, and fingers hit what they aim at (24 px, WCAG 2.2)."""
    people = [crowd, player("W" * 50, role=User.Role.MODERATOR), player("ada", role=User.Role.ADMIN)]
    measure = """() => [...document.querySelectorAll('.top a, .top button')].map(e => {
        const { left, right, top, bottom } = e.getBoundingClientRect();
        return { left, right, width: right - left, height: bottom - top, middle: (top + bottom) / 2,
                 cut: e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'visible' };
    })"""
    for person in people:
        page = visitors.page(visitors.profile(person, size=PHONE))
        page.goto("/")
        photograph(page, f"header-{person.role}")
        targets = page.evaluate(measure)
        assert all(target["width"] >= 24 and target["height"] >= 24 for target in targets)
        assert all(target["left"] >= 0 and target["right"] <= PHONE[0] and not target["cut"] for target in targets)
        rows = sorted(target["middle"] for target in targets)
        assert sum(after - before > 10 for before, after in pairwise(rows)) == 1


def test_a_finding_would_be_found(visitors: Visitors, crowd: User) -> None:
    """Inside the element's shadow root too."""
    page = visitors.page()
    page.goto("/")
    expect(status(page)).to_have_text("Live")
    page.evaluate("document.querySelector('live-leaderboard').shadowRoot.querySelector('.foot').style.color = '#ccc'")
    assert any(finding.startswith("color-contrast") for finding in findings(page))


def test_the_board_is_a_table_with_a_name(visitors: Visitors, crowd: User) -> None:
    page = visitors.page()
    page.goto("/")
    table = page.get_by_role("table", name="All players")
    expect(table.get_by_role("row")).to_have_count(11)
    expect(table.get_by_role("columnheader")).to_have_text(["Rank", "Player", "Score"])
    expect(table.get_by_role("rowheader").first).to_have_accessible_name("Nadia")


def test_everything_can_be_done_by_keyboard(visitors: Visitors, crowd: User) -> None:
    """Skip link first, then on to an action, which a key press performs."""
    page = visitors.page(visitors.profile(crowd))
    page.goto("/play")
    expect(page.get_by_role("button", name="Complete a task")).to_be_enabled()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("button.action").first).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#score")).to_have_text("69")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.localName") == "live-leaderboard":
            break
    assert page.evaluate("document.activeElement.localName") == "live-leaderboard"
    expect(page.locator("#settling")).to_contain_text("is yours")  # nothing is left to do when the test ends
