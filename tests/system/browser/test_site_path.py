"""A real browser on the site under a path of another one: the board is live, and a form and a script find their way."""

from pathlib import Path

import pytest
from django.contrib.auth.hashers import make_password
from playwright.sync_api import Browser, expect

from accounts.models import User
from leaderboard.boards import Board
from tests.system.browser.board import MILLISECONDS
from tests.system.deploy.front import SITE, V4, site_below

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
PASSWORD = "a long enough pass phrase"


def test_the_board_is_live_and_a_player_signs_in_below_the_path(board: Board, browser: Browser, tmp_path: Path) -> None:
    User.objects.create(username="alice", email="alice@example.org", password=make_password(PASSWORD))
    with site_below("nginx.conf", tmp_path, V4) as (front, _, _), browser.new_context() as context:
        context.set_default_timeout(MILLISECONDS)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url.replace("ws:", "http:")))
        page.goto(front.http("/"))
        expect(page.locator("live-leaderboard [part=status]").first).to_contain_text("Live")
        page.goto(front.http(f"/accounts/sign-in?next={SITE}/"))
        page.get_by_label("Username").fill("alice")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("main").get_by_role("button").click()
        page.wait_for_url(front.http("/"))
        expect(page.locator("header .who")).to_have_text("Your account, alice")
        page.goto(front.http("/play"))
        own = page.evaluate(f"import('{SITE}/static/play/api.js').then(api => api.me())")
        assert own["score"] == 0
        assert [url for url in asked if not url.startswith(front.http("/"))] == []
        assert any("/scoreboard/live" in url for url in asked)
