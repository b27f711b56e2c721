"""The play page before any script has run."""

from django.test import Client

from accounts.models import User
from actions.models import ActionType
from leaderboard.boards import Board
from tests.support.people import give


def test_a_visitor_is_asked_to_sign_in_first(client: Client, db: None) -> None:
    assert client.get("/play")["Location"] == "/accounts/sign-in?next=/play"


def test_the_page_has_the_score_and_the_catalogue(client: Client, board: Board, alice: User) -> None:
    give(alice, 1234)
    ActionType.objects.filter(slug="DAILY_LOGIN").update(enabled=False)
    ActionType.objects.create(slug="GROW", title="<b>Grow</b>", points=50, min_seconds=30, granted_by="player")
    client.force_login(alice)
    page = client.get("/play").content.decode()
    assert 'data-total="1234"' in page
    assert page.index('data-type="COMPLETE_TASK" data-points="10"') < page.index('data-type="GROW"')
    assert 'data-seconds="30"' in page
    assert "&lt;b&gt;Grow&lt;/b&gt;" in page
    assert "DAILY_LOGIN" not in page
    assert "WIN_MATCH" not in page, "what others grant is no button"


def test_who_has_no_points_yet_starts_at_nought(client: Client, board: Board, alice: User) -> None:
    client.force_login(alice)
    assert 'data-total="0"' in client.get("/play").content.decode()


def test_without_anything_that_players_may_grant_it_is_not_there(client: Client, board: Board, alice: User) -> None:
    client.force_login(alice)
    assert '<a href="/play"' in client.get("/").content.decode()
    ActionType.objects.update(granted_by="back_end")
    assert client.get("/play").status_code == 404
    assert '"/play"' not in client.get("/").content.decode()
