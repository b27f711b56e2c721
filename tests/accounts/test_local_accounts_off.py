"""LOCAL_ACCOUNTS=off: players come from the sites they play on; staff enter the admin site, and nothing else."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from accounts import page_urls, urls
from accounts.models import User
from leaderboard.live import identities
from tests.support.client import MINT, Api, assert_problem
from tests.support.people import PASSWORD, bearer, player, site_key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_of_its_own", "unlimited")]

ME = "/api/v1/score/me"
CALLS = [str(route.pattern) for route in urls.urlpatterns if str(route.pattern).startswith("auth/")]
PAGES = [str(route.name) for route in page_urls.urlpatterns if route.name != "sign-out"]


def person(role: User.Role) -> User:
    made = player(role=role)
    made.set_password(PASSWORD)
    made.save()
    return made


@pytest.fixture
def off(settings: Settings) -> None:
    settings.LOCAL_ACCOUNTS = "off"


def session_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.usefixtures("off")
def test_every_call_about_accounts_says_that_there_are_none(api: Api, path: str) -> None:
    for headers in ({}, bearer(player())):
        said = assert_problem(api.post(f"/api/v1/{path}", {}, headers=headers), "forbidden")
        assert "site they play on" in said["detail"]
    assert User.objects.count() == 1


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.usefixtures("off")
def test_no_page_of_accounts_is_there(name: str) -> None:
    client = session_of(player())
    assert client.get(reverse(name)).status_code == 404
    assert client.post(reverse(name), {"username": "x"}).status_code == 404


@pytest.mark.usefixtures("off")
def test_no_page_leads_to_one() -> None:
    for path in ("/", "/embed", "/nowhere"):
        text = Client().get(path).content.decode()
        for name in [*PAGES, "play"]:
            assert f'"{reverse(name)}' not in text
    assert Client().get(reverse("play")).status_code == 404


@pytest.mark.django_db(transaction=True)  # a look at a session closes old connections
def test_what_signed_a_player_in_before_does_so_no_more(api: Api, settings: Settings) -> None:
    user = person(User.Role.PLAYER)
    token, browser = bearer(user), session_of(user)
    assert api.get(ME, headers=token).status_code == browser.get(ME).status_code == 200
    raw = token["Authorization"].removeprefix("Bearer ")
    settings.LOCAL_ACCOUNTS = "off"
    assert_problem(api.get(ME, headers=token), "not-authenticated")
    assert_problem(api.post(MINT, {"action_type": "DAILY_LOGIN"}, headers=token), "not-authenticated")
    assert browser.get(ME).status_code == 401
    assert identities.session_user(browser.session.session_key or "") is None
    with pytest.raises(identities.NotAuthenticated, match="site they play on"):
        identities.from_token(raw)
    admin = Client().post("/admin/login/", {"username": user.username, "password": PASSWORD})
    assert "_auth_user_id" not in admin.client.session
    settings.LOCAL_ACCOUNTS = "on"
    assert api.get(ME, headers=token).status_code == 200


@pytest.mark.parametrize("role", [User.Role.ADMIN, User.Role.MODERATOR])
@pytest.mark.usefixtures("off")
def test_staff_enter_the_admin_site_and_keep_their_own_account(role: User.Role) -> None:
    user = person(role)
    browser = Client()
    browser.post("/admin/login/?next=/admin/", {"username": user.username, "password": PASSWORD})
    assert browser.get("/admin/").status_code == 200
    for name in ("account", "change-password"):
        assert browser.get(reverse(name)).status_code == 200


@pytest.mark.usefixtures("off")
def test_players_of_a_site_are_not_concerned(api: Api) -> None:
    token = api.post("/api/v1/viewer-tokens", {"player": "42"}, headers=site_key("viewers")).json()["data"]["token"]
    page: dict[str, Any] = {"Authorization": f"Bearer {token}"}
    assert api.get(ME, headers=page).status_code == 200
    assert api.post(MINT, {"action_type": "DAILY_LOGIN"}, headers=page).status_code == 201
