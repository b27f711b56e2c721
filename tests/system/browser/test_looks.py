"""The element in another site's colours and another language."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.system.browser.accessibility import findings, photograph
from tests.system.browser.board import ScriptedLive, line, names, row, status, until
from tests.system.browser.conftest import PHONE, Visitors

# What a site may set, each thought of for one theme only. The first is the example of /embed.
BRANDS = {
    "a light brand": "--lb-accent: #0a6b5e; --lb-background: #fffdf8; --lb-color: #20211f; --lb-muted: #5d615b;"
    "--lb-line: #e6e2d8; --lb-you: #e8f4f1",
    "a dark ground alone": "--lb-background: #10243e",
    "a dark text alone": "--lb-color: #20211f; --lb-muted: #444",
    "loud spots": "--lb-accent: #f5d90a; --lb-you: #0a6b5e; --lb-good: lime; --lb-bad: #fcc",
    "between light and dark": "--lb-background: #777; --lb-you: #888",
    "seen through": "--lb-background: rgb(0 0 0 / 50%); --lb-color: rgb(255 255 255 / 60%)",
    "other spaces": "--lb-background: oklch(0.9 0.1 200); --lb-color: color(display-p3 0.9 0.9 0.2)",
}


def shown(page: Page) -> ScriptedLive:
    """A board with the reader's own line below it."""
    live = ScriptedLive(page, user_id="id-me")
    page.goto("/embed/global")
    expect(status(page)).to_have_text("Live")
    live.show(row(1, "لمى", 5000), row(2, "Ольга", 420), row(3, "ليلى", 64), row(4, "🦊", 9), seq=1, players=12_345)
    live.say("you", score=4, rank=831, players=12_345)
    expect(line(page, "You")).to_have_count(1)
    return live


@pytest.mark.parametrize("dark", [pytest.param(False, marks=pytest.mark.long), True], ids=["light", "dark"])
def test_words_can_be_read_in_whatever_colours_a_site_sets(visitors: Visitors, dark: bool) -> None:
    """axe measures: 4.5 : 1 at least, connected and not, with the change of a score on it."""
    page = visitors.page(visitors.profile(dark=dark, still=True))
    live = shown(page)
    page.evaluate("document.body.style.background = 'Canvas'")  # axe takes a page without a ground for a white one
    for brand, style in BRANDS.items():
        page.evaluate("style => document.querySelector('live-leaderboard').style.cssText = style", style)
        until(page, lambda: findings(page) == [], f"{brand} can be read")
        photograph(page, f"brand-{brand.replace(' ', '-')}-{'dark' if dark else 'light'}")
    page.evaluate("document.querySelector('live-leaderboard').style.cssText = ''")
    live.sockets[-1].close(code=4503)
    for brand, style in BRANDS.items():
        page.evaluate("style => document.querySelector('live-leaderboard').style.cssText = style", style)
        until(page, lambda: findings(page) == [], f"{brand} can be read when the board is closed")


def test_colours_that_can_be_read_are_left_alone(visitors: Visitors) -> None:
    page = visitors.page(visitors.profile(dark=True))
    shown(page)
    page.evaluate(
        """style => document.querySelector('live-leaderboard').style.cssText = style""",
        "--lb-background: #10243e; --lb-color: #dde8f6; --lb-muted: #9fb4cf; --lb-you: #1d3a5f; --lb-good: lime",
    )
    read = """() => ['[part=caption]', '[part=players]', '[part=status]'].map(part =>
        getComputedStyle(document.querySelector('live-leaderboard').shadowRoot.querySelector(part)).color)"""
    wanted = ["rgb(221, 232, 246)", "rgb(159, 180, 207)", "rgb(0, 255, 0)"]
    until(page, lambda: page.evaluate(read) == wanted, "the site's colours are shown")
    page.clock.install()
    page.clock.run_for(3_000)
    assert page.evaluate(read) == wanted


def test_when_the_colours_of_a_site_are_taken_back_the_element_has_its_own_again(visitors: Visitors) -> None:
    page = visitors.page(visitors.profile(dark=True, still=True))
    shown(page)
    ink = (
        "getComputedStyle(document.querySelector('live-leaderboard').shadowRoot.querySelector('[part=caption]')).color"
    )
    before = page.evaluate(ink)
    page.evaluate(
        "document.querySelector('live-leaderboard').style.cssText = '--lb-background: #fff; --lb-color: #ddd'"
    )
    until(page, lambda: page.evaluate(ink) == "rgb(0, 0, 0)", "what cannot be read is black")
    page.evaluate("document.querySelector('live-leaderboard').style.cssText = ''")
    until(page, lambda: page.evaluate(ink) == before, "the text has the element's own colour")


ARABIC: dict[str, Any] = {
    "rank": "المركز",
    "player": "اللاعب",
    "score": "النقاط",
    "you": "أنت",
    "players": {"one": "لاعب واحد", "two": "لاعبان", "few": "{n} لاعبين", "many": "{n} لاعبًا", "other": "{n} لاعب"},
    "empty": "لم يسجل أحد نقاطًا بعد.",
    "signIn": "سجّل الدخول مجددًا لترى مركزك",
    "retry": "حاول الآن",
    "live": "مباشر",
    "closed": "انقطع الاتصال",
    "reconnecting": "تجري إعادة الاتصال…",
    "final": "نهائي",
    "ends": "تنتهي {in}",
    "frozen": "مجمدة {ago}",
    "ended": "انتهت الفترة {period} وبدأت {next}",
    "refused": "لا يجوز عرض اللوحة هنا",
    "updated": "{state} · آخر تحديث {ago}",
    "leads": "يتصدر {name} بـ {score}",
    "place": "مركزك {rank}.",
}
WORDS = "document.querySelector('live-leaderboard').shadowRoot.querySelector('section').innerText"


def test_every_word_can_be_in_another_language_and_from_right_to_left(visitors: Visitors) -> None:
    page = visitors.page(visitors.profile(size=PHONE, still=True))
    page.clock.install()
    live = shown(page)
    page.evaluate(
        """labels => {
            document.documentElement.dir = 'rtl';
            const board = document.querySelector('live-leaderboard');
            Object.assign(board, { labels, label: 'لوحة الصدارة', lang: 'ar-EG' });
        }""",
        ARABIC,
    )
    live.show(row(1, "لمى", 5003), row(2, "Ольга", 420), row(3, "ليلى", 64), row(4, "🦊", 9), seq=2, players=12_345)
    live.say("you", score=4, rank=831, players=12_345)
    expect(names(page)).to_have_text(["لمى", "Ольга", "ليلى", "🦊", "أنت"])
    expect(page.locator("live-leaderboard [part=players]")).to_have_text("١٢٬٣٤٥ لاعبًا")
    expect(line(page, "أنت").locator("[part=rank]")).to_have_text("٨٣١")
    expect(status(page)).to_have_text("مباشر")
    period = {"board": "daily", "ends_at": "2100-01-01T00:00:00Z", "now": "2099-12-25T23:59:00Z"} | {
        "frozen_at": "2099-12-25T20:58:00Z"
    }
    live.say("connection_success", user_id="id-me", period="2099-12-24", **period)
    live.say("connection_success", user_id="id-me", period="2099-12-25", **period)
    ends, notice = page.locator("live-leaderboard [part=ends]"), page.locator("live-leaderboard [part=notice]")
    expect(ends).to_have_text("تنتهي خلال ٦ أيام")
    expect(status(page)).to_have_text("مجمدة قبل ٣ ساعات")
    expect(notice).to_have_text("انتهت الفترة 2099-12-24 وبدأت 2099-12-25")
    page.clock.run_for(11_000)
    assert not re.search("[A-Za-z]", page.evaluate(WORDS))
    cells = line(page, "لمى").evaluate("e => [...e.cells].map(cell => cell.getBoundingClientRect().left)")
    assert cells == sorted(cells, reverse=True)  # the rank is on the right
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    photograph(page, "arabic-live")
    live.say("error", code="not-authenticated", detail="In English")
    live.sockets[-1].close(code=4503)
    page.clock.fast_forward(180_000)
    expect(status(page)).to_have_text("لا يجوز عرض اللوحة هنا · آخر تحديث قبل ٣ دقائق")
    expect(page.locator("live-leaderboard [part=sign-in]")).to_have_text(str(ARABIC["signIn"]))
    assert not re.search("[A-Za-z]", page.evaluate(WORDS))
    photograph(page, "arabic-closed")
    assert findings(page) == []


def test_a_word_that_a_site_has_no_translation_for_stays_english(visitors: Visitors) -> None:
    page = visitors.page()
    shown(page)
    page.evaluate(
        "document.querySelector('live-leaderboard').labels = { score: 'Punkte', live: undefined, players: null }"
    )
    expect(page.locator("live-leaderboard").get_by_role("columnheader")).to_have_text(["Rank", "Player", "Punkte"])
    expect(status(page)).to_have_text("Live")
    expect(page.locator("live-leaderboard [part=players]")).to_have_text("12,345 players")


def test_the_language_is_that_of_what_is_around_the_element_also_in_a_shadow_root(visitors: Visitors) -> None:
    page = visitors.page()
    live = shown(page)
    page.evaluate(
        """() => {
            const section = Object.assign(document.createElement('section'), { lang: 'de' });
            section.attachShadow({ mode: 'open' }).append(document.querySelector('live-leaderboard'));
            document.querySelector('main').append(section);
        }"""
    )
    until(page, lambda: len(live.sockets) == 2, "it has connected again")
    live.show(row(1, "x", 5003), seq=2)
    expect(page.locator("live-leaderboard [part=score] .n").first).to_have_text("5.003")
