"""The play page before any script has run."""

import pytest
from django.test import Client

from accounts.models import User
from actions.models import ActionType
from leaderboard.boards import Board
from tests.people import give


def test_a_visitor_is_asked_to_sign_in_first(client: Client, db: None) -> None:
    assert client.get("/play")["Location"] == "/accounts/sign-in?next=/play"


def test_the_page_has_the_score_and_the_catalogue(client: Client, board: Board, alice: User) -> None:
    give(alice, 1234)
    ActionType.objects.filter(slug="DAILY_LOGIN").update(enabled=False)
    ActionType.objects.filter(slug="WIN_MATCH").update(title="<b>Win</b>", min_seconds=30)
    client.force_login(alice)
    page = client.get("/play").content.decode()
    assert 'data-total="1234"' in page
    assert page.index('data-type="COMPLETE_TASK" data-points="10"') < page.index('data-type="WIN_MATCH"')
    assert 'data-seconds="30"' in page
    assert "&lt;b&gt;Win&lt;/b&gt;" in page
    assert "DAILY_LOGIN" not in page


def test_who_has_no_points_yet_starts_at_nought(client: Client, board: Board, alice: User) -> None:
    client.force_login(alice)
    assert 'data-total="0"' in client.get("/play").content.decode()


@pytest.mark.usefixtures("board")
def test_an_empty_catalogue_says_so(client: Client, alice: User) -> None:
    ActionType.objects.update(enabled=False)
    client.force_login(alice)
    assert "No action is switched on right now" in client.get("/play").content.decode()
