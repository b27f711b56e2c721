"""The element before a scripted server: the client's rule, reconnection, and what it shows of extreme rows."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.system.browser.board import ScriptedLive, line, names, row, score, status, stop_clock, until
from tests.system.browser.conftest import PHONE, Visitors

LARGEST = 2**53 - 1


@pytest.fixture
def page(visitors: Visitors) -> Page:
    page = visitors.page()
    page.clock.install()
    return page


@pytest.fixture
def live(page: Page) -> ScriptedLive:
    """The board page, connected; the test says what comes next."""
    live = ScriptedLive(page)
    page.goto("/")
    expect(status(page)).to_have_text("Live")
    return live


def connections(page: Page, live: ScriptedLive, count: int) -> None:
    """Waits until the element has connected `count` times."""
    until(page, lambda: len(live.sockets) >= count, f"{count} connections")
    assert len(live.sockets) == count


def heard(page: Page, live: ScriptedLive, kind: str) -> dict[str, object]:
    """Waits for a message of this type from the element."""
    until(page, lambda: any(message["type"] == kind for message in live.heard), f"the element says {kind}")
    return next(message for message in live.heard if message["type"] == kind)


def test_within_an_epoch_only_what_is_newer_counts(page: Page, live: ScriptedLive) -> None:
    live.show(row(1, "new", 20), seq=5)
    expect(names(page)).to_have_text(["new"])
    live.show(row(1, "late", 10), seq=4)
    live.show(row(1, "repeated", 10), seq=5)
    live.show(row(1, "newest", 30), seq=6)
    expect(names(page)).to_have_text(["newest"])
    assert page.evaluate("document.querySelector('live-leaderboard').rows[0].username") == "newest"


def test_a_new_epoch_replaces_everything(page: Page, live: ScriptedLive) -> None:
    live.show(row(1, "before", 20), seq=500)
    live.show(row(1, "after", 10), seq=1, epoch="e2")
    expect(names(page)).to_have_text(["after"])
    live.show(row(1, "later", 11), seq=2, epoch="e2")
    expect(names(page)).to_have_text(["later"])


def test_a_late_message_does_not_flicker(page: Page, live: ScriptedLive) -> None:
    """What is dropped is not shown for a moment either."""
    page.evaluate(
        """window.shown = []; document.addEventListener('leaderboard-update',
            ({ detail }) => shown.push(detail.seq))"""
    )
    for seq in (3, 2, 5, 4, 5, 6):
        live.show(row(1, "x", seq), seq=seq)
    expect(score(page, "x")).to_have_text("6")
    assert page.evaluate("shown") == [3, 5, 6]


def test_it_resumes_from_what_it_has(page: Page, live: ScriptedLive) -> None:
    live.show(row(1, "x", 1), seq=7)
    expect(names(page)).to_have_text(["x"])
    stop_clock(page)
    live.sockets[-1].close(code=1012)
    expect(status(page)).to_have_text(re.compile("^Reconnecting"))
    page.clock.fast_forward(1_000)
    connections(page, live, 2)
    assert heard(page, live, "resume") == {"type": "resume", "epoch": "e1", "seq": 7}
    live.say("current", epoch="e1", seq=7)
    expect(status(page)).to_have_text("Live")


def test_a_ping_that_is_ahead_makes_it_ask(page: Page, live: ScriptedLive) -> None:
    live.show(row(1, "x", 1), seq=7)
    live.say("ping", epoch="e1", seq=7)
    live.say("ping", epoch="e1", seq=9)
    assert heard(page, live, "resume")["seq"] == 7
    assert len(live.heard) == 1


def test_silence_is_a_dead_line(page: Page, live: ScriptedLive) -> None:
    page.clock.fast_forward(20_000)
    live.say("ping", epoch=None, seq=None)
    page.wait_for_function("document.querySelector('live-leaderboard').state === 'live'")
    page.clock.fast_forward(20_000)
    assert len(live.sockets) == 1
    page.clock.fast_forward(16_000)
    page.clock.fast_forward(1_000)
    connections(page, live, 2)


def test_a_goodbye_is_followed_as_told(page: Page, live: ScriptedLive) -> None:
    live.say("bye", retry_ms=60_000)
    expect(status(page)).to_have_text(re.compile("^Reconnecting"))
    page.clock.fast_forward(30_000)  # the clock also goes on by itself
    assert len(live.sockets) == 1
    page.clock.fast_forward(30_500)
    connections(page, live, 2)


def test_a_refusal_is_final_until_a_person_asks(page: Page, live: ScriptedLive) -> None:
    live.sockets[-1].close(code=4503)
    expect(status(page)).to_have_text(re.compile("^This site may not show the board"))
    page.clock.fast_forward(600_000)
    assert len(live.sockets) == 1
    page.get_by_role("button", name="Try now").click()
    connections(page, live, 2)


def test_the_age_of_what_is_shown_is_told(page: Page, live: ScriptedLive) -> None:
    live.show(row(1, "x", 1), seq=1)
    expect(names(page)).to_have_text(["x"])
    live.say("bye", retry_ms=600_000)
    expect(status(page)).to_have_text(re.compile("^Reconnecting"))
    page.clock.fast_forward(90_000)
    expect(status(page)).to_have_text("Reconnecting… · last updated 1 min. ago")


def test_attributes_can_change_while_it_runs(page: Page, live: ScriptedLive) -> None:
    live.show(row(1, "x", 1), seq=1)
    expect(names(page)).to_have_text(["x"])
    page.evaluate("document.querySelector('live-leaderboard').limit = 3")
    connections(page, live, 2)
    assert "limit=3" in live.sockets[-1].url
    expect(names(page)).to_have_text(["x"])
    page.evaluate("document.querySelector('live-leaderboard').label = 'Heroes'")
    expect(page.get_by_role("table", name="Heroes")).to_be_attached()
    assert len(live.sockets) == 2
    page.evaluate("document.querySelector('live-leaderboard').board = 'other'")
    connections(page, live, 3)
    assert "board=other" in live.sockets[-1].url
    expect(names(page)).to_have_count(0)


def test_what_was_set_before_the_module_had_loaded_counts_and_can_change(page: Page) -> None:
    live = ScriptedLive(page)
    page.goto("/accounts/sign-in")  # a page without the module
    page.evaluate(
        """async () => {
            window.board = document.createElement('live-leaderboard');
            Object.assign(board, { board: 'other', limit: 3, theme: 'dark', label: 'Heroes', rows: 'no setter' });
            document.body.append(board);
            await import('/static/leaderboard/live-leaderboard.js');
        }"""
    )
    connections(page, live, 1)
    assert "board=other&limit=3" in live.sockets[-1].url
    live.show(row(1, "x", 1), seq=1)
    expect(names(page)).to_have_text(["x"])
    expect(page.get_by_role("table", name="Heroes")).to_be_attached()
    assert page.evaluate("[getComputedStyle(board).colorScheme, board.rows.length]") == ["dark", 1]
    page.evaluate("board.limit = 5")
    connections(page, live, 2)
    assert "limit=5" in live.sockets[-1].url


def test_taken_out_of_the_page_it_lets_go(page: Page, live: ScriptedLive) -> None:
    page.evaluate("window.taken = document.querySelector('live-leaderboard'); taken.remove()")
    until(page, lambda: live.closed == 1, "the connection is closed")
    page.clock.fast_forward(120_000)
    assert len(live.sockets) == 1
    page.evaluate("document.querySelector('main').append(taken)")
    connections(page, live, 2)


def test_a_token_signs_the_viewer_in(page: Page, live: ScriptedLive) -> None:
    page.evaluate("document.querySelector('live-leaderboard').token = 'a.b.c'")
    assert heard(page, live, "authenticate")["token"] == "a.b.c"
    live.show(row(1, "x", 50), row(2, "me", 40), seq=1, players=12_000)
    live.say("connection_success", user_id="id-me")
    expect(line(page, "me")).to_have_attribute("aria-current", "true")
    live.show(row(1, "x", 50), row(2, "y", 45), seq=2, players=12_000)
    live.say("you", score=40, rank=831, players=12_000)
    own = line(page, "You")
    expect(own.locator("[part=rank]")).to_have_text("831")
    assert tiers(page) == ["", "", ""]
    live.say("you", score=40, rank=831, players=12_000, tier="bronze")
    until(page, lambda: tiers(page) == ["", "", "bronze"], "the own line has the tier")
    page.evaluate("document.querySelector('live-leaderboard').token = null")
    connections(page, live, 2)
    expect(own).to_have_count(0)


def test_the_next_reader_does_not_see_the_line_of_the_one_before(page: Page, live: ScriptedLive) -> None:
    live.show(row(1, "x", 50), seq=1, players=12_000)
    page.evaluate("document.querySelector('live-leaderboard').token = 'a.b.c'")
    heard(page, live, "authenticate")
    live.say("connection_success", user_id="id-one")
    live.say("you", score=40, rank=831, players=12_000)
    own = line(page, "You")
    expect(own.locator("[part=rank]")).to_have_text("831")
    page.evaluate("document.querySelector('live-leaderboard').token = 'd.e.f'")
    live.say("connection_success", user_id="id-other")
    expect(own).to_have_count(0)
    assert page.evaluate("document.querySelector('live-leaderboard').you") is None
    live.say("you", score=30, rank=900, players=12_000)
    expect(own.locator("[part=rank]")).to_have_text("900")


def test_a_token_opens_what_was_closed_for_want_of_one(page: Page, live: ScriptedLive) -> None:
    live.say("error", code="not-authenticated", detail="Nobody signed in within five seconds.")
    live.sockets[-1].close(code=4501)
    expect(status(page)).to_have_text(re.compile("^Sign in to see this board"))
    page.evaluate("document.querySelector('live-leaderboard').token = 'a.b.c'")
    connections(page, live, 2)
    assert heard(page, live, "authenticate")["token"] == "a.b.c"
    expect(status(page)).to_have_text("Live")


def test_nobody_yet_is_said_in_words(page: Page, live: ScriptedLive) -> None:
    live.show(seq=0)
    expect(page.locator("live-leaderboard [part=empty]")).to_be_visible()
    expect(page.locator("live-leaderboard table")).to_be_hidden()
    live.show(row(1, "first", 1), seq=1)
    expect(page.locator("live-leaderboard [part=empty]")).to_be_hidden()
    expect(page.locator("live-leaderboard [part=players]")).to_have_text("1 player")


def tiers(page: Page) -> list[str]:
    """Of each line, the own one last."""
    shown = "e => getComputedStyle(e, '::after').content.replaceAll('\"', '').trim()"
    return [name.evaluate(shown) for name in names(page).all()]


def test_the_tier_stands_beside_the_name(page: Page, live: ScriptedLive) -> None:
    live.show(
        {**row(1, "first", 3), "tier": "<b>gold</b>"}, {**row(2, "second", 2), "tier": None}, row(3, "x", 1), seq=1
    )
    expect(names(page)).to_have_text(["first", "second", "x"])
    assert tiers(page) == ["<b>gold</b>", "", ""]
    live.show({**row(1, "first", 3), "tier": None}, {**row(2, "second", 2), "tier": "silver"}, row(3, "x", 1), seq=2)
    until(page, lambda: tiers(page) == ["", "silver", ""], "the tiers are the new ones")


def test_extreme_rows_fit_a_phone(visitors: Visitors) -> None:
    page = visitors.page(visitors.profile(size=PHONE))
    live = ScriptedLive(page)
    page.goto("/")
    expect(status(page)).to_have_text("Live")
    live.show(
        row(1, "W" * 50, LARGEST, "https://localhost:1/no-such.png"),
        row(2, "محمد الأمين", LARGEST - 1),
        row(3, "👩🏽‍🚀👨‍👩‍👧‍👦", 12),
        row(1_234_567, "x", 0, "javascript:alert(1)"),
        seq=1,
    )
    expect(page.locator("live-leaderboard [part=score] .n").first).to_have_text("9,007,199,254,740,991")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    first = names(page).first
    assert first.evaluate("e => e.scrollWidth > e.clientWidth && e.title === e.textContent")
    assert first.evaluate("e => e.clientWidth") > 20
    assert names(page).nth(1).evaluate("e => getComputedStyle(e).direction") == "rtl"
    expect(page.locator("live-leaderboard [part=avatar] img")).to_have_count(0)  # the one that failed is gone
    expect(page.locator("live-leaderboard [part=avatar]")).to_have_text(["W", "ما", "👩🏽‍🚀", "X"])


def moving(visitors: Visitors, *, still: bool) -> tuple[int, str]:
    """How many rows glide when two change places, and the change in score that flashes."""
    page = visitors.page(visitors.profile(still=still))
    live = ScriptedLive(page)
    page.goto("/")
    expect(status(page)).to_have_text("Live")
    live.show(row(1, "a", 20), row(2, "b", 15), seq=1)
    expect(names(page)).to_have_text(["a", "b"])
    page.evaluate(
        """document.addEventListener('leaderboard-update', ({ target }) => {
            const animations = target.shadowRoot.getAnimations();
            window.gliding = animations.filter((one) => one.effect.target.matches('tr')).length;
        })"""
    )
    live.show(row(1, "b", 25), row(2, "a", 20), seq=2)
    expect(names(page)).to_have_text(["b", "a"])
    gliding: int = page.evaluate("gliding")
    return gliding, line(page, "b").locator("[part=delta]").text_content() or ""


def test_rows_glide_to_their_new_rank(visitors: Visitors) -> None:
    assert moving(visitors, still=False) == (2, "+10")


def test_nothing_glides_for_those_who_asked_for_stillness(visitors: Visitors) -> None:
    assert moving(visitors, still=True) == (0, "+10")


LISTEN = """window.said = [];
const spoken = document.querySelector('live-leaderboard').shadowRoot.querySelector('.sr');
new MutationObserver(() => said.push(spoken.textContent)).observe(spoken, { childList: true })"""


def test_a_screen_reader_is_told_now_and_then(page: Page, live: ScriptedLive) -> None:
    """Of the newest state, at most every ten seconds."""
    page.evaluate(LISTEN)
    for seq in range(1, 9):
        live.show(row(1, f"leader{seq}", seq), seq=seq)
        expect(names(page)).to_have_text([f"leader{seq}"])
        page.clock.fast_forward(1_000)
    assert len(page.evaluate("said")) <= 2
    page.clock.fast_forward(10_000)
    page.wait_for_function("said.length > 0 && said.at(-1).startsWith('leader8 leads with 8 points')")


def test_of_a_board_that_has_not_arrived_a_screen_reader_is_told_nothing(page: Page, live: ScriptedLive) -> None:
    page.evaluate(LISTEN)
    live.show(row(1, "first", 1), seq=1)
    page.clock.fast_forward(1_000)
    page.wait_for_function("said.at(-1)?.startsWith('first leads')")
    live.show(row(1, "second", 2), seq=2)
    expect(names(page)).to_have_text(["second"])
    page.evaluate("document.querySelector('live-leaderboard').board = 'other'")
    connections(page, live, 2)
    page.clock.fast_forward(30_000)
    assert page.evaluate("said.at(-1)") == "first leads with 1 point."
