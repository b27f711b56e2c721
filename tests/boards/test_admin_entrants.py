"""In admin, who has joined a board: to look at, searched and page by page."""

import pytest

from accounts.models import User
from scoreboard import entrants
from scoreboard.admin.entrants import EntrantAdmin
from scoreboard.models import Board as Rule
from scoreboard.models import BoardEntrant
from tests.support.admin_site import BOARDS_PAGE, admin, board_page, signed_in
from tests.support.boards import make
from tests.support.people import player, players

pytestmark = pytest.mark.usefixtures("board", "unlimited")


def page(rule: Rule) -> str:
    return f"{BOARDS_PAGE}{rule.pk}/entrants/"


def listed(answer: object) -> list[str]:
    return [user.username for user in answer.context["cl"].result_list]  # type: ignore[attr-defined]


def test_admin_lists_who_has_joined_a_board_the_last_first() -> None:
    rule, other = make("league", entry="join"), make("cup", entry="join")
    first, second, third, _ = (player(name) for name in ("first", "second", "third", "fourth"))
    for user in (first, second):
        entrants.join(rule, user)
    entrants.join(other, third)
    organiser = signed_in(admin())
    assert f'href="{page(rule)}"' in organiser.get(board_page(rule)).content.decode()
    answer = organiser.get(page(rule))
    assert (answer.status_code, listed(answer)) == (200, ["second", "first"])
    joined = BoardEntrant.objects.get(user_id=first.pk).joined_at
    for said in ("Players who have joined League", f"{joined:%Y-%m-%d %H:%M} UTC", f"/user/{first.pk}/change/"):
        assert said in answer.content.decode()
    assert listed(organiser.get(f"{page(rule)}?q=fir")) == ["first"]
    assert listed(organiser.get(f"{page(rule)}?q=third")) == []
    assert organiser.get(f"{BOARDS_PAGE}987654/entrants/").status_code == 404
    entrants.leave(rule, second)
    assert listed(organiser.get(page(rule))) == ["first"]


def test_of_many_it_shows_a_page_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EntrantAdmin, "list_per_page", 3)
    rule, organiser = make("league", entry="join"), signed_in(admin())
    crowd = players(7)
    for user in crowd:
        entrants.join(rule, user)
    found = [name for number in (1, 2, 3) for name in listed(organiser.get(f"{page(rule)}?p={number}"))]
    assert found == [user.username for user in reversed(crowd)]


def test_a_board_that_is_open_to_all_offers_no_such_list() -> None:
    rule = make("league")
    assert page(rule) not in signed_in(admin()).get(board_page(rule)).content.decode()


def test_it_is_for_those_who_may_look_at_boards_and_to_be_looked_at_alone() -> None:
    rule, user = make("league", entry="join"), player()
    entrants.join(rule, user)
    moderator = signed_in(player("mod", role=User.Role.MODERATOR))
    answer = moderator.get(page(rule))
    assert (answer.status_code, listed(answer)) == (200, [user.username])
    assert user.shown_name in answer.content.decode()
    assert signed_in(user).get(page(rule)).status_code in (302, 403)
    before, organiser = list(BoardEntrant.objects.values_list()), signed_in(admin())
    for crafted in ({"action": "delete_selected", "_selected_action": str(user.pk), "post": "yes"}, {"_save": "1"}):
        organiser.post(page(rule), crafted)
    assert list(BoardEntrant.objects.values_list()) == before
    assert User.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize("hidden", ["email", "password", "session_key", "attributes"])
def test_its_address_finds_nobody_by_what_it_does_not_show(hidden: str) -> None:
    rule, user = make("league", entry="join"), player(email="user@example.org")
    entrants.join(rule, user)
    moderator = signed_in(player("mod", role=User.Role.MODERATOR))
    said = str(getattr(user, hidden))
    for lookup in (f"{hidden}={said}", f"{hidden}__startswith={said[:3]}", f"{hidden}__isnull=0"):
        assert moderator.get(f"{page(rule)}?{lookup}").status_code == 400, lookup
