"""What ends when an account's password is changed, or the account disabled or erased: at once, or how soon."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts import privacy
from accounts.models import User
from actions import tokens
from leaderboard.boards import Board
from leaderboard.live import credentials
from tests.admin_site import signed_in, superuser
from tests.client import MINT, UPDATE, Api, assert_problem
from tests.people import PASSWORD, update_body

pytestmark = pytest.mark.usefixtures("board", "unlimited")

TOKEN = "/api/v1/auth/token"


def change_password(user: User) -> None:
    """As a superuser does it in admin."""
    fields = {"password1": "another pass phrase", "password2": "another pass phrase", "usable_password": "true"}
    answer = signed_in(superuser()).post(f"/admin/accounts/user/{user.pk}/password/", fields)
    assert answer.status_code == 302, answer.content


def disable(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def erase(user: User) -> None:
    assert privacy.erase(user.pk)


ENDS: dict[str, Callable[[User], None]] = {"password changed": change_password, "disabled": disable, "erased": erase}
each_end = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())


class Held:
    """What somebody who stole it all holds in hand."""

    def __init__(self, user: User) -> None:
        self.refresh = RefreshToken.for_user(user)
        self.access = str(AccessToken.for_user(user))
        self.session = Client()
        self.session.force_login(user)
        self.minted = tokens.mint(user.pk, "WIN_MATCH")
        self.api = Api()

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}

    def calls(self) -> dict[str, Any]:
        body = {"action_type": "WIN_MATCH"}
        return {
            "own score": self.api.get("/api/v1/score/me", headers=self.bearer),
            "mint": self.api.post(MINT, body, headers=self.bearer),
            "verify access": self.api.post(f"{TOKEN}/verify", {"token": self.access}),
            "verify refresh": self.api.post(f"{TOKEN}/verify", {"token": str(self.refresh)}),
            "own score by session": self.session.get("/api/v1/score/me"),
        }


@pytest.fixture
def alice(board: Board) -> User:
    return User.objects.create_user("alice", "alice@example.org", PASSWORD)


def test_the_control_all_of_it_works_before(alice: User) -> None:
    held = Held(alice)
    assert {name: answer.status_code < 300 for name, answer in held.calls().items()} == dict.fromkeys(
        held.calls(), True
    )
    assert held.api.post(f"{TOKEN}/refresh", {"refresh": str(held.refresh)}).status_code == 200


@each_end
def test_tokens_and_sessions_end_at_once(alice: User, end: Callable[[User], None]) -> None:
    held = Held(alice)
    end(alice)
    for name, answer in held.calls().items():
        assert answer.status_code in (401, 403), (name, answer.content)
    assert_problem(held.api.post(f"{TOKEN}/refresh", {"refresh": str(held.refresh)}), "not-authenticated")
    assert "_auth_user_id" not in held.session.session or held.session.get("/play").status_code == 302


@each_end
def test_somebody_else_is_not_concerned(alice: User, bob: User, end: Callable[[User], None]) -> None:
    held = Held(bob)
    end(alice)
    assert held.api.get("/api/v1/score/me", headers=held.bearer).status_code == 200
    assert held.api.post(f"{TOKEN}/refresh", {"refresh": str(held.refresh)}).status_code == 200


def test_what_was_minted_before_a_new_password_is_paid_to_its_owner(alice: User) -> None:
    """As documented: redeem believes the access token, and the points are the owner's whoever hands them in."""
    held = Held(alice)
    change_password(alice)
    paid = held.api.post(UPDATE, update_body(held.minted), headers=held.bearer)
    assert paid.status_code == 200
    alice.score.refresh_from_db()
    assert alice.score.total == 50


@pytest.mark.parametrize("end", [disable, erase])
def test_a_disabled_or_erased_account_is_paid_nothing(alice: User, end: Callable[[User], None]) -> None:
    held = Held(alice)
    end(alice)
    assert held.api.post(UPDATE, update_body(held.minted), headers=held.bearer).status_code in (401, 403)


@each_end
def test_the_live_side_believes_an_access_token_until_it_expires_and_no_longer(
    alice: User, end: Callable[[User], None]
) -> None:
    """As documented: it asks no database about a token; a session it looks at again."""
    held = Held(alice)
    end(alice)
    known = credentials.from_token(held.access)
    lifetime = site.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"].total_seconds()
    assert known.user_id == str(alice.pk)
    assert known.until <= time.time() + lifetime
    assert credentials._session_user(held.session.session.session_key or "") is None


@pytest.mark.parametrize("mark", [..., None, "", "x", "\0", "0" * 32, "x" * 2000, 7, True, [], {}])
def test_a_token_that_names_no_password_of_theirs_is_none(alice: User, mark: Any) -> None:
    """Such as every one made before tokens named one."""
    bare = AccessToken()
    bare["sub"] = str(alice.pk)
    if mark is not ...:
        bare["pwd"] = mark
    headers = {"Authorization": f"Bearer {bare}"}
    api = Api()
    assert_problem(api.get("/api/v1/score/me", headers=headers), "not-authenticated")
    assert_problem(api.post(MINT, {"action_type": "WIN_MATCH"}, headers=headers), "not-authenticated")
    assert_problem(api.post(f"{TOKEN}/verify", {"token": str(bare)}), "not-authenticated")


def test_a_pair_made_while_the_password_changes_is_worth_nothing(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rotation has read the account; then the password changes; then it hands out the pair."""
    held = Held(alice)
    original = RefreshToken.blacklist

    def meanwhile(self: RefreshToken) -> Any:
        change_password(alice)
        return original(self)

    monkeypatch.setattr(RefreshToken, "blacklist", meanwhile)
    pair = held.api.post(f"{TOKEN}/refresh", {"refresh": str(held.refresh)}).json()["data"]
    monkeypatch.setattr(RefreshToken, "blacklist", original)
    for token in pair.values():
        assert_problem(held.api.post(f"{TOKEN}/verify", {"token": token}), "not-authenticated")
    assert_problem(held.api.post(f"{TOKEN}/refresh", {"refresh": pair["refresh"]}), "not-authenticated")


def test_signing_in_with_the_new_password_makes_good_ones(alice: User) -> None:
    change_password(alice)
    pair = Api().post(TOKEN, {"username": "alice", "password": "another pass phrase"}).json()["data"]
    headers = {"Authorization": f"Bearer {pair['access']}"}
    assert Api().post(MINT, {"action_type": "WIN_MATCH"}, headers=headers).status_code == 201
