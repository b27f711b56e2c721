"""examples/quiz in a browser: a site with users of its own, which knows the scoreboard by its API alone."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scoreboard.models import ScoreHistory
from tests.support.processes import ROOT, eventually
from tests.system.browser.board import score, status
from tests.system.browser.conftest import Visitors
from tests.system.browser.example import Example, a_key
from tests.system.browser.site import Site
from tests.system.live.server import free_port


class Quiz(Example):
    """The example as `make run` starts it."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.data = folder / "quiz.sqlite3"
        key, port = folder / "key", free_port()
        key.write_text(a_key())
        words = ["--scoreboard", site.url, "--port", str(port), "--key", str(key), "--data", str(self.data)]
        super().__init__(ROOT, port, ["examples/quiz/quiz.py", *words])

    def forgets_what_it_told(self) -> None:
        with sqlite3.connect(self.data) as database:
            database.execute("UPDATE answers SET told = 0")
        database.close()


@pytest.fixture
def quiz(site: Site, tmp_path: Path) -> Iterator[Quiz]:
    quiz = Quiz(site, tmp_path)
    yield quiz
    quiz.stop()


def begin(page: Page, quiz: Quiz, name: str) -> None:
    page.goto(quiz.url)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("0 of 0 were right")).to_be_visible()
    expect(status(page)).to_have_text("Live")


def answer(page: Page, choice: str) -> None:
    page.get_by_role("button", name=choice).click()


def test_a_right_answer_is_ten_points_in_the_users_own_row_and_in_others_boards(visitors: Visitors, quiz: Quiz) -> None:
    ada, other = visitors.page(), visitors.page()
    begin(other, quiz, "Boole")
    begin(ada, quiz, "Ada & <b>Co")
    answer(ada, "Venus")  # which is wrong
    expect(ada.get_by_text("0 of 1 were right")).to_be_visible()
    answer(ada, "Four")
    expect(ada.get_by_text("1 of 2 were right")).to_be_visible()
    expect(score(other, "Ada & <b>Co")).to_have_text("10")
    expect(ada.get_by_role("status")).to_contain_text("You are at rank 1.")
    assert list(ScoreHistory.objects.values_list("source", "delta")) == [("award", 10)]


@pytest.mark.long
def test_what_it_is_not_sure_to_have_told_is_told_again_and_paid_once(visitors: Visitors, quiz: Quiz) -> None:
    page = visitors.page()
    begin(page, quiz, "Grace")
    answer(page, "Mercury")
    eventually(lambda: ScoreHistory.objects.count() == 1, "the first answer is paid")
    quiz.forgets_what_it_told()
    answer(page, "Four")
    expect(score(page, "Grace")).to_have_text("20")
    assert ScoreHistory.objects.count() == 2
