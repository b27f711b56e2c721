"""Real browsers before the real site."""

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django.fixtures import Settings

from accounts.models import User
from actions.models import ActionType, Grant
from leaderboard import boards, ranking, rebuild
from tests.support.fixtures import forget_boards, forget_keys
from tests.support.processes import eventually
from tests.support.programs import needed
from tests.system.browser.board import MILLISECONDS
from tests.system.browser.site import Site

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PHONE, DESKTOP = (360, 740), (1280, 900)

expect.set_options(timeout=MILLISECONDS)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Callable[[str], Browser]]:
    """Starts the program of this path.

    Of this folder only: Playwright keeps an event loop running, in which other folders' async tests could not run.
    Django takes that loop for a sign of asynchronous code, which these tests are not.
    """
    started: list[Browser] = []

    def start(path: str) -> Browser:
        started.append(playwright.chromium.launch(executable_path=path, args=FLAGS))
        return started[-1]

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield start
        for browser in started:
            browser.close()


@pytest.fixture(scope="package")
def browser(chromium: Callable[[str], Browser]) -> Browser:
    """Where there is one, Chromium's shell: the same engine without windows, for two thirds of the work."""
    return chromium(
        os.environ.get("CHROMIUM") or shutil.which("chromium-headless-shell") or needed("chromium", "chromium")
    )


@pytest.fixture(scope="package")
def processes(django_db_setup: None) -> Iterator[Site]:
    """One set of servers for all tests here."""
    prefix = f"{configured.REDIS_KEY_PREFIX}browser-{uuid.uuid4().hex[:8]}:"
    with tempfile.TemporaryDirectory(prefix="sb-") as folder:
        (Path(folder) / "static").mkdir()
        site = Site(Path(folder), prefix)
        try:
            site.start()
            yield site
        finally:
            site.stop()
            forget_keys(prefix)


@pytest.fixture
def site(processes: Site, transactional_db: None, settings: Settings) -> Site:
    """The site with an empty database and a fresh board; what the test itself records is shown on it.

    A match can be won at `/play`, at once.
    """
    ActionType.objects.filter(slug="WIN_MATCH").update(granted_by=Grant.PLAYER, cooldown=1)
    settings.REDIS_KEY_PREFIX = processes.redis_prefix
    forget_keys(processes.redis_prefix)
    forget_boards()
    board = boards.get("global")
    eventually(lambda: rebuild.rebuild(board) or ranking.epoch(board), "the board is built, by us or by live")
    processes.start()
    eventually(lambda: processes.live_epoch() == ranking.epoch(board), "live shows the fresh board")
    return processes


class Visitors:
    """Opens pages, each in a browser profile of its own, and remembers what went wrong in them."""

    def __init__(self, browser: Browser, site: Site) -> None:
        self.browser = browser
        self.site = site
        self.contexts: list[BrowserContext] = []
        self.troubles: list[str] = []

    def profile(
        self,
        user: User | None = None,
        *,
        size: tuple[int, int] = DESKTOP,
        dark: bool = False,
        still: bool = False,
        script: bool = True,
    ) -> BrowserContext:
        """A visitor; `user` is signed in, `still` asks for reduced motion, without `script` nothing moves at all."""
        context = self.browser.new_context(
            base_url=self.site.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if still else "no-preference",
            java_script_enabled=script,
        )
        context.set_default_timeout(MILLISECONDS)
        self.contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            key = client.cookies[configured.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": configured.SESSION_COOKIE_NAME, "value": key, "url": self.site.url}])
        return context

    def page(self, context: BrowserContext | None = None) -> Page:
        eventually(self.site.knows_boards, "the site knows its boards")
        page = (context or self.profile()).new_page()
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: self._hear(message.text))
        return page

    def _hear(self, text: str) -> None:
        """A refused or failed load is an ordinary thing in these tests; a violated policy is a defect."""
        if re.search("Content Security Policy|violates", text):
            self.troubles.append(text)


@pytest.fixture
def visitors(browser: Browser, site: Site) -> Iterator[Visitors]:
    visitors = Visitors(browser, site)
    yield visitors
    for context in visitors.contexts:
        context.close()
    assert visitors.troubles == []
