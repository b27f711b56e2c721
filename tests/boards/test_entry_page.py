"""Joining and leaving on the page of the board."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from accounts.models import User
from leaderboard import snapshots
from scoreboard.models import BoardEntrant
from tests.support.admin_site import admin, signed_in
from tests.support.boards import award, make

pytestmark = pytest.mark.usefixtures("board", "unlimited")


def test_the_page_has_a_button_to_join_and_to_leave(alice: User) -> None:
    make("league", entry="join")
    make("plain")
    award(alice, 5)
    page = signed_in(alice, enforce_csrf_checks=True)

    def said(path: str = "/?board=league") -> str:
        snapshots._snapshots.clear()
        return str(page.get(path).content.decode())

    assert 'value="join"' in said()
    assert "alice</bdi></th>" not in said()
    assert page.post("/enter", {"board": "league", "entry": "join"}).status_code == 403
    form = {"board": "league", "entry": "join", "csrfmiddlewaretoken": page.cookies["csrftoken"].value}
    answer = page.post("/enter", form)
    assert (answer.status_code, answer["Location"]) == (302, "/?board=league")
    assert 'value="leave"' in said()
    assert "alice</bdi></th>" in said()
    assert page.post("/enter", {**form, "entry": "leave"}).status_code == 302
    assert 'value="join"' in said()
    assert 'name="entry"' not in said("/?board=plain") + said("/")
    assert page.get("/enter").status_code == 405


def test_the_page_refuses_in_a_sentence_and_hides_what_is_hidden(client: Client, alice: User) -> None:
    make("league", entry="join", closes_at=datetime.now(UTC) + timedelta(days=1))
    make("secret", entry="join", visibility="hidden")
    make("plain")
    assert 'name="entry"' not in client.get("/?board=league").content.decode()
    visitor = client.post("/enter", {"board": "league", "entry": "join"})
    assert (visitor.status_code, visitor["Location"]) == (302, "/accounts/sign-in")
    page, staff = signed_in(alice), signed_in(admin())
    for slug in ("secret", "never-made", "", "x" * 100, "//elsewhere.org", "a%0d%0aSet-Cookie: x"):
        assert page.post("/enter", {"board": slug, "entry": "join"}).status_code == 404
    assert page.post("/enter").status_code == 404
    answer = page.post("/enter", {"board": "plain", "entry": "join"}, follow=True)
    assert "there is nothing to join" in answer.content.decode()
    assert 'name="entry"' not in staff.get("/?board=league").content.decode()
    answer = staff.post("/enter", {"board": "league", "entry": "join"})
    assert str(next(iter(get_messages(answer.wsgi_request)))).startswith("Moderators and admins")
    assert not BoardEntrant.objects.exists()
