"""The browsable API, under the site's own policy."""

import re

from playwright.sync_api import expect

from accounts.models import User
from tests.browser.conftest import Visitors


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
