"""The browsable API, under the site's own policy."""

import re

import pytest
from playwright.sync_api import expect

from accounts.models import User
from tests.system.browser.accessibility import findings, photograph
from tests.system.browser.conftest import Visitors


def test_the_calls_are_listed_and_can_be_tried(visitors: Visitors, alice: User) -> None:
    """Signed in by session: a POST from the page carries the CSRF token."""
    page = visitors.page(visitors.profile(alice))
    page.goto("/play")  # where the CSRF cookie comes from
    page.goto("/api/docs")
    expect(page.locator(".opblock-summary-path").filter(has_text=re.compile("scoreboard/top"))).to_be_visible()
    call = page.locator("#operations-actions-mint_action_token")
    call.locator(".opblock-summary-control").click()
    call.get_by_role("button", name="Try it out").click()
    call.locator("textarea").first.fill('{"action_type": "WIN_MATCH"}')
    with page.expect_response("**/api/v1/action/token") as answer:
        call.get_by_role("button", name="Execute").click()
    assert answer.value.status == 201


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.long
def test_the_page_can_be_read_in_either_scheme(visitors: Visitors, alice: User, dark: bool) -> None:
    """Closed, opened and being tried. What is not a matter of colours is Swagger UI's."""
    page = visitors.page(visitors.profile(alice, dark=dark, still=True))
    page.goto("/api/docs")
    for name in ("actions-mint_action_token", "board-top", "accounts-register"):
        page.locator(f"#operations-{name} .opblock-summary-control").click()
        page.locator(f"#operations-{name}").get_by_role("button", name="Try it out").click()
        expect(page.locator(f"#operations-{name} .execute")).to_be_visible()
    photograph(page, f"api-docs-{'dark' if dark else 'light'}")
    ground = "getComputedStyle(document.querySelector('.opblock-body input')).backgroundColor"
    assert (page.evaluate(ground) == "rgb(255, 255, 255)") is not dark
    assert [finding for finding in findings(page) if finding.startswith("color-contrast")] == []
    page.locator("#operations-board-top .opblock-summary-control").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
