"""The pages that staff work on: read by everyone, on a phone and a desktop, light and dark, and used by keyboard."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from accounts.models import User
from scoreboard.models import ScoreHistory
from tests.integrity.cases import flagged
from tests.overview.past import scored
from tests.support.people import give, player
from tests.system.browser.accessibility import SIZES, SOME, findings, photograph
from tests.system.browser.conftest import Visitors


@pytest.fixture
def people(site: object, alice: User) -> tuple[User, User]:
    """An admin and a moderator, and alice with a history and a flag."""
    give(alice, 64)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for days, points in ((0, 1_234_567), (7, 7_654)):
        scored(alice, midnight - timedelta(days=days), points, kind="A_TYPE_WITH_A_LONG_NAME_" * 2)
    flagged(alice, [])
    return player("ada", role=User.Role.ADMIN), player("mo", role=User.Role.MODERATOR)


@pytest.mark.parametrize(
    ("size", "dark"),
    [
        pytest.param(size, dark, marks=[] if (size, dark) in SOME else pytest.mark.long)
        for size in SIZES
        for dark in (False, True)
    ],
)
def test_no_page_of_staff_has_serious_findings_or_overflows(
    visitors: Visitors, people: tuple[User, User], alice: User, size: str, dark: bool
) -> None:
    admin, moderator = people
    found = []
    for user, paths in (
        (admin, ["/admin/", "/admin/overview/notice/"]),
        (moderator, ["/admin/", "/admin/players/?q=ali", f"/admin/players/{alice.pk}/"]),
    ):
        page = visitors.page(visitors.profile(user, size=SIZES[size], dark=dark, still=True))
        for path in paths:
            page.goto(path)
            name = f"{user}-{path.partition('?')[0].strip('/').replace('/', '-')}-{size}-{'dark' if dark else 'light'}"
            for details in page.locator("details").all():
                details.evaluate("details => details.open = true")
            photograph(page, name)
            found += [f"{name}: {finding}" for finding in findings(page)]
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if overflow > 0:
                found.append(f"{name}: {overflow} px wider than the window")
    assert found == []


def test_a_bonus_is_given_by_keyboard_on_a_phone(visitors: Visitors, people: tuple[User, User], alice: User) -> None:
    page = visitors.page(visitors.profile(people[1], size=SIZES["phone"]))
    page.goto("/admin/")
    page.get_by_label("Find a player").focus()
    page.keyboard.type("alice")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="alice").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Points").focus()
    page.keyboard.type("25")
    page.keyboard.press("Tab")
    page.keyboard.type("for the translation")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Give the points")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_text("alice has 25 points more.")).to_be_visible()
    assert ScoreHistory.objects.filter(user=alice, source="bonus", delta=25, reason="for the translation").exists()


def test_every_chart_has_its_numbers_in_a_table(visitors: Visitors, people: tuple[User, User]) -> None:
    page = visitors.page(visitors.profile(people[0]))
    page.goto("/admin/")
    expect(page.get_by_role("img", name="Points by hour")).to_be_visible()
    for name in ("Points by type", "Points by key", "Refusals by reason"):
        expect(page.get_by_role("table", name=name)).to_be_visible()
    kind = (
        page.get_by_role("table", name="Points by type").get_by_role("row").filter(has_text="A_TYPE_WITH_A_LONG_NAME")
    )
    expect(kind.get_by_role("cell")).to_have_text(["1,234,567", "7,654+16,030 %"])
    page.get_by_text("As a table").click()
    columns = page.locator("svg[aria-labelledby=hours] rect.today").count()  # of the hours until the page was made
    assert columns > 0
    expect(page.locator("#hours-table tbody tr")).to_have_count(columns)
