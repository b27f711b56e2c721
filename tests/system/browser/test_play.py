"""The play page: the score moves at once, the server's answer settles it, and nothing is paid twice."""

import json
import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, Route, expect

from accounts.models import User
from actions import queue
from actions.models import ActionToken, ActionType, QueuedWork
from scoreboard.models import ScoreHistory, UserScore
from tests.support.people import give
from tests.system.browser.board import stop_clock, until
from tests.system.browser.conftest import Visitors
from tests.system.browser.site import Site

MINT = "**/api/v1/action/token"
REDEEM = "**/api/v1/score/update"

# Every total the page shows from now on.
RECORD = """window.totals = []; const score = document.getElementById('score');
new MutationObserver(() => totals.push(Number(score.textContent))).observe(score, { childList: true })"""


@pytest.fixture
def page(visitors: Visitors, alice: User) -> Page:
    """alice's play page, with 100 points and ready to click."""
    give(alice, 100)
    page = visitors.page(visitors.profile(alice))
    page.goto("/play")
    expect(page.locator("#rank")).to_have_text("1 of 1")
    expect(page.locator("#score")).to_have_text("100")
    return page


def act(page: Page) -> None:
    """Ten points, if all goes well."""
    page.get_by_role("button", name="Complete a task").click()


def score(page: Page) -> Locator:
    return page.locator("#score")


def settled(page: Page) -> None:
    """Waits for the server's word on ten points."""
    expect(page.locator("#settling")).to_have_text("+10 for Complete a task is yours")


def toast(page: Page) -> Locator:
    return page.get_by_role("alert")


def paid() -> list[int]:
    """What the ledger has of the actions."""
    return list(ScoreHistory.objects.filter(source="action").values_list("delta", flat=True))


def problem(route: Route, status: int, kind: str, **members: object) -> None:
    headers = {"Content-Type": "application/problem+json"}
    if "retry_after" in members:
        headers["Retry-After"] = str(members.pop("retry_after"))
    body = {"type": f"/problems/{kind}", "title": kind, "status": status, "detail": "As the test says.", **members}
    route.fulfill(status=status, headers=headers, body=json.dumps(body))


def test_the_score_moves_before_the_answer_and_settles_on_it(page: Page) -> None:
    held: list[Route] = []
    page.route(REDEEM, lambda route: held.append(route))
    act(page)
    expect(score(page)).to_have_text("110")
    expect(page.locator("#settling")).to_have_text("Waiting for the server…")
    until(page, lambda: bool(held), "the token is handed in")
    assert paid() == []
    held.pop().continue_()
    settled(page)
    expect(score(page)).to_have_text("110")
    assert paid() == [10]


def test_clicks_in_a_row_add_up_and_never_jump(page: Page) -> None:
    page.evaluate(RECORD)
    for _ in range(5):
        act(page)
    page.get_by_role("button", name="Win a match").click()
    expect(score(page)).to_have_text("200")
    expect(score(page)).not_to_have_class(re.compile("pending"))
    totals = page.evaluate("totals")
    assert totals == sorted(totals), "the shown score went back"
    assert max(totals) == 200
    assert sorted(paid()) == [10, 10, 10, 10, 10, 50]


def test_old_news_of_the_board_do_not_move_the_score_back(page: Page, alice: User) -> None:
    act(page)
    settled(page)
    page.evaluate(RECORD)
    with page.expect_response("**/score/me"):
        page.evaluate(
            """document.querySelector('live-leaderboard').dispatchEvent(
            new CustomEvent('leaderboard-update', { detail: { you: { score: 100, rank: 1, players: 1 } } }))"""
        )
    give(alice, 5)
    expect(score(page)).to_have_text("115")
    assert page.evaluate("totals") == [115]
    give(alice, -40)  # but what an admin takes back is gone from the page, too
    expect(score(page)).to_have_text("75")


def test_a_network_failure_rolls_back_and_a_retry_pays_once(page: Page) -> None:
    page.route(REDEEM, lambda route: route.abort())
    act(page)
    expect(toast(page)).to_contain_text("Network Error")
    expect(score(page)).to_have_text("100")
    page.unroute(REDEEM)
    toast(page).get_by_role("button", name="Retry").click()
    settled(page)
    expect(score(page)).to_have_text("110")
    expect(toast(page)).to_have_count(0)
    assert paid() == [10]
    assert ActionToken.objects.count() == 1


def test_a_lost_answer_is_settled_by_the_repeat(page: Page) -> None:
    """The server paid but the page never heard: the same token again is refused with what it did."""

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route(REDEEM, lose_the_answer)
    act(page)
    expect(toast(page)).to_contain_text("Network Error")
    assert paid() == [10]
    page.unroute(REDEEM)
    with page.expect_response(REDEEM) as answer:
        toast(page).get_by_role("button", name="Retry").click()
    assert answer.value.status == 409
    expect(page.locator("#settling")).to_have_text("+10 for Complete a task had already counted")
    expect(score(page)).to_have_text("110")
    assert paid() == [10]


def test_a_busy_site_that_queues_it_is_asked_until_it_counts(page: Page) -> None:
    """The site answers 202 by itself when it is busy; here it is asked to."""
    page.route(REDEEM, lambda route: route.continue_(headers={**route.request.headers, "prefer": "respond-async"}))
    with page.expect_response(REDEEM) as answer:
        act(page)
    assert answer.value.status == 202
    assert paid() == []
    with page.expect_response("**/api/v1/score/requests/*"):
        expect(page.locator("#settling")).to_have_text("Waiting for the server…")
    queue.process(QueuedWork.objects.get().pk)
    settled(page)
    assert paid() == [10]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (503, "unavailable"),
        *(pytest.param(*one, marks=pytest.mark.long) for one in [(500, "internal-error"), (409, "score-out-of-range")]),
    ],
)
def test_a_refusal_that_is_nobodys_doing_rolls_back(page: Page, status: int, kind: str) -> None:
    page.route(REDEEM, lambda route: problem(route, status, kind))
    act(page)
    expect(toast(page)).to_contain_text("Network Error")
    expect(score(page)).to_have_text("100")
    page.unroute(REDEEM)
    toast(page).get_by_role("button", name="Retry").click()
    settled(page)
    expect(score(page)).to_have_text("110")
    assert paid() == [10]


@pytest.mark.long
def test_a_gateway_that_answers_nonsense_counts_as_a_network_failure(page: Page) -> None:
    page.route(REDEEM, lambda route: route.fulfill(status=502, content_type="text/html", body="<h1>Bad gateway"))
    act(page)
    expect(toast(page)).to_contain_text("Network Error")
    expect(score(page)).to_have_text("100")


def test_a_mint_that_fails_can_be_tried_again(page: Page) -> None:
    page.route(MINT, lambda route: route.abort())
    act(page)
    expect(toast(page)).to_contain_text("Network Error")
    page.unroute(MINT)
    toast(page).get_by_role("button", name="Retry").click()
    settled(page)
    expect(score(page)).to_have_text("110")
    assert paid() == [10]


def test_too_many_says_when_to_try_again(page: Page) -> None:
    page.clock.install()
    stop_clock(page)
    page.route(MINT, lambda route: problem(route, 429, "rate-limited", retry_after=42))
    act(page)
    again = toast(page).get_by_role("button", name="Retry")
    expect(again).to_have_text("Retry in 42 s")
    expect(again).to_be_disabled()
    expect(score(page)).to_have_text("100")
    page.unroute(MINT)
    page.clock.run_for(42_500)
    page.clock.resume()
    expect(again).to_have_text("Retry")
    again.click()
    settled(page)
    expect(score(page)).to_have_text("110")
    assert paid() == [10]


def test_an_action_that_takes_time_is_waited_for(page: Page) -> None:
    expect(page.get_by_role("button", name="Complete a task")).to_contain_text("takes 1 s")
    act(page)
    expect(score(page)).to_have_text("110")
    settled(page)
    assert paid() == [10]


def test_too_early_is_waited_out_with_the_same_token(page: Page) -> None:
    """The page was loaded before the action took time, so it does not wait by itself."""
    ActionType.objects.filter(slug="COMPLETE_TASK").update(min_seconds=4)
    with page.expect_response(lambda answer: answer.status == 425):
        act(page)
    settled(page)
    assert paid() == [10]
    assert ActionToken.objects.count() == 1


def test_a_token_that_expired_is_replaced_only_when_the_player_says_so(page: Page) -> None:
    held: list[Route] = []
    page.route(REDEEM, lambda route: held.append(route))
    act(page)
    until(page, lambda: bool(held), "the token is handed in")
    ActionToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    held.pop().continue_()
    expect(toast(page)).to_contain_text("Too late")
    expect(score(page)).to_have_text("100")
    assert ActionToken.objects.count() == 1
    page.unroute(REDEEM)
    toast(page).get_by_role("button", name="Do it again").click()
    settled(page)
    assert ActionToken.objects.count() == 2
    assert paid() == [10]


@pytest.mark.parametrize(
    ("status", "kind", "title", "members"),
    [
        (401, "not-authenticated", "You are signed out", {}),
        (403, "not-yours-to-grant", "Complete a task is not yours to grant", {}),
        pytest.param(403, "player-disabled", "Not allowed", {}, marks=pytest.mark.long),
        pytest.param(403, "forbidden", "Not allowed", {}, marks=pytest.mark.long),
        (429, "rate-limited", "Too many at once", {"retry_after": 42}),
        pytest.param(422, "anything", "Not allowed", {}, marks=pytest.mark.long),
    ],
)
def test_a_refusal_is_told_as_what_it_is(
    page: Page, status: int, kind: str, title: str, members: dict[str, int]
) -> None:
    """The tester's case: a site whose signer is another program said of every click that one is signed out."""
    page.route(MINT, lambda route: problem(route, status, kind, title="Not allowed", **members))
    act(page)
    expect(toast(page).locator("strong")).to_have_text(title)
    if status != 401:
        expect(toast(page)).to_contain_text("As the test says.")
        expect(toast(page)).not_to_contain_text("signed out")
    expect(score(page)).to_have_text("100")


def test_a_session_that_ended_leads_to_sign_in(page: Page) -> None:
    page.context.clear_cookies(name="sessionid")
    act(page)
    expect(toast(page)).to_contain_text("You are signed out")
    expect(score(page)).to_have_text("100")
    toast(page).get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/accounts/sign-in\?next=/play$"))


def test_what_another_tab_earns_shows_here_too(page: Page) -> None:
    other = page.context.new_page()
    other.goto("/play")
    act(other)
    expect(score(page)).to_have_text("110")


def test_an_adjustment_by_an_admin_shows_at_once(page: Page, alice: User) -> None:
    give(alice, -60)
    expect(score(page)).to_have_text("40")


def test_from_sign_up_to_the_first_points(visitors: Visitors, site: Site) -> None:
    page = visitors.page()
    page.goto("/")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("link", name="Sign up").last.click()
    page.get_by_label("Username").fill("Zoë 🦊")
    page.get_by_label("E-mail").fill("zoe@example.org")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign up and play").click()
    expect(page).to_have_url(f"{site.url}/play")
    expect(score(page)).to_have_text("0")
    expect(page.locator("#rank")).to_have_text("\N{EN DASH}")
    act(page)
    expect(score(page)).to_have_text("10")
    expect(page.locator("#rank")).to_have_text("1 of 1")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{site.url}/")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert UserScore.objects.get(user__username="Zoë 🦊").total == 10
