"""Boards over the API: who may make, change and delete them, and what the admin log says of it."""

import pytest
from django.contrib.admin.models import LogEntry

from accounts.models import ApiKey, User
from scoreboard.models import Board as Rule
from tests.boards.definitions import BOARDS, WEEKLY, put
from tests.support.admin_site import admin
from tests.support.boards import make
from tests.support.client import Api, assert_problem
from tests.support.people import player, site_key

pytestmark = pytest.mark.usefixtures("board", "unlimited")


@pytest.mark.parametrize("scope", [scope.value for scope in ApiKey.Scope if scope != ApiKey.Scope.BOARDS])
def test_only_a_key_with_the_scope_changes_boards(api: Api, scope: str) -> None:
    other = site_key(scope)
    make("mine")
    assert_problem(api.post(BOARDS, WEEKLY, headers=other), "forbidden")
    assert_problem(put(api, "mine", {"title": "Theirs"}, other), "forbidden")
    assert_problem(api.send("DELETE", f"{BOARDS}/mine", b"", headers=other), "forbidden")
    assert [rule.title for rule in Rule.objects.all()] == ["Mine"]


def test_players_and_visitors_change_no_board_and_staff_do(api: Api, alice: User) -> None:
    assert_problem(api.post(BOARDS, WEEKLY), "not-authenticated")
    assert_problem(api.post(BOARDS, WEEKLY, headers={"Authorization": "Bearer nonsense"}), "not-authenticated")
    assert_problem(api.post(BOARDS, WEEKLY, alice), "forbidden")
    assert_problem(api.post(BOARDS, WEEKLY, player("mod", role=User.Role.MODERATOR)), "forbidden")
    assert not Rule.objects.exists()
    ada = admin()
    assert api.post(BOARDS, WEEKLY, ada).status_code == 201
    assert LogEntry.objects.get().user == ada


def test_the_admin_log_names_the_key(api: Api, key: dict[str, str]) -> None:
    api.post(BOARDS, WEEKLY, headers=key)
    put(api, "weekly", {"title": "Week", "window": "daily"}, key)
    put(api, "weekly", {"title": "Week"}, key)  # as it is
    api.send("DELETE", f"{BOARDS}/weekly", b"", headers=key)
    entries = LogEntry.objects.order_by("pk")
    assert [entry.get_action_flag_display() for entry in entries] == ["Addition", "Change", "Deletion"]
    assert {entry.user.display_name for entry in entries} == {str(ApiKey.objects.get())}
    assert entries[1].change_message == "Over the API: title This week → Week; window weekly → daily."
