"""The admin site's own door: the same limit, the same names, no way in for players."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from accounts.models import User
from tests.support.people import give

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_limits")]

INDEX = "/admin/"
LOGIN = "/admin/login/"
PASSWORD = "a long enough pass phrase"


def enter(client: Client, username: str, password: str = PASSWORD) -> int:
    """302 when let in, 200 when the form is shown again."""
    return client.post(LOGIN, {"username": username, "password": password}).status_code


def test_an_admin_gets_in_whatever_characters_the_name_has(client: Client) -> None:
    User.objects.create_user("Ⅷ ①", "root@example.org", PASSWORD, role=User.Role.ADMIN)
    assert enter(client, "Ⅷ ①") == 302


def test_a_player_signs_in_by_page_and_by_call_under_the_name_they_signed_up(client: Client) -> None:
    names = {"x²": "a@example.org", "❤️": "b@example.org", "O'Brien": "c@example.org"}
    for name, email in names.items():
        body = {"username": name, "password": PASSWORD}
        answer = client.post("/api/v1/auth/register", {**body, "email": email}, content_type="application/json")
        assert answer.json()["data"]["username"] == name
        assert client.post("/api/v1/auth/token", body, content_type="application/json").status_code == 200
        page = client.post(reverse("sign-in"), body)
        assert page.status_code == 302
        client.logout()


def test_a_player_does_not_get_in(client: Client) -> None:
    User.objects.create_user("eve", "eve@example.org", PASSWORD)
    assert enter(client, "eve") == 200


def test_a_moderator_gets_in_and_sees_what_moderators_may_do(client: Client, alice: User) -> None:
    """The header leads there; the index has the history, in which names lead nowhere, and finds a player."""
    mo = User.objects.create_user("mo", "mo@example.org", PASSWORD, role=User.Role.MODERATOR)
    give(alice, 5)
    assert enter(client, "mo") == 302
    assert f'<a href="{INDEX}">Moderate</a>' in client.get("/embed").content.decode()
    index = client.get(INDEX).content.decode()
    history = reverse("admin:scoreboard_scorehistory_changelist")
    assert history in index
    assert f'action="{reverse("staff-players")}"' in index
    listed = client.get(history)
    assert "alice" in listed.content.decode()
    assert reverse("admin:accounts_user_change", args=[alice.pk]) not in listed.content.decode()
    links = set(re.findall(r'href="(/admin/[a-z]+/[a-z]+/)"', index))
    assert links == {history, reverse("admin:scoreboard_board_changelist")}
    for closed in ("accounts_user", "scoreboard_userscore", "integrity_flag", "actions_actiontype", "accounts_apikey"):
        assert client.get(reverse(f"admin:{closed}_changelist")).status_code == 403
    mo.user_permissions.add(Permission.objects.get(codename="view_flag"))
    assert reverse("admin:integrity_flag_changelist") in client.get(INDEX).content.decode()
    User.objects.filter(pk=mo.pk).update(is_active=False)
    assert client.get(INDEX).status_code == 302


def test_guesses_run_into_the_limit_and_then_even_the_right_password_waits(client: Client, settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "sign-in": "3/minute"}
    User.objects.create_superuser("root", "root@example.org", PASSWORD)
    assert [enter(client, "root", "guess") for _ in range(3)] == [200] * 3
    answer = client.post(LOGIN, {"username": "root", "password": PASSWORD})
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert b"At most 3 in 60 s" in answer.content


@pytest.mark.parametrize("username", ["", "x" * 10_000, "a\0b", "\udcff".encode("utf-8", "surrogateescape"), "' OR 1"])
def test_a_strange_name_is_no_500(client: Client, username: str) -> None:
    assert enter(client, username) == 200
