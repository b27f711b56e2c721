"""What ends when an account's password is changed, or the account disabled or erased: at once, or how soon."""

import time
from collections.abc import Callable
from io import StringIO
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings as site
from django.core.management import call_command
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken

from accounts import passwords, privacy, sign_in
from accounts.models import User
from actions import tokens
from leaderboard.boards import Board
from leaderboard.live import identities
from tests.support.admin_site import signed_in, superuser
from tests.support.client import MINT, UPDATE, Api, assert_problem
from tests.support.people import PASSWORD, update_body

pytestmark = pytest.mark.usefixtures("board", "unlimited")

TOKEN = "/api/v1/auth/token"


def change_password(user: User) -> None:
    """As a superuser does it in admin."""
    fields = {"password1": "another pass phrase", "password2": "another pass phrase", "usable_password": "true"}
    answer = signed_in(superuser()).post(f"/admin/accounts/user/{user.pk}/password/", fields)
    assert answer.status_code == 302, answer.content


def change_own_password(user: User) -> None:
    """Over the API, by another sign-in than the stolen one."""
    body = {"old": PASSWORD, "new": "another pass phrase"}
    assert Api().post("/api/v1/auth/password", body, user).status_code == 204


def change_by_command(user: User) -> None:
    with patch("getpass.getpass", return_value="another pass phrase"):
        call_command("changepassword", user.username, stdout=StringIO())


def reset(user: User) -> None:
    passwords.reset(passwords.token_for(user, passwords.RESET), "another pass phrase")


def take_password_away(user: User) -> None:
    fields = {"password1": "", "password2": "", "usable_password": "false", "unset-password": "1"}
    answer = signed_in(superuser()).post(f"/admin/accounts/user/{user.pk}/password/", fields)
    assert answer.status_code == 302, answer.content


def sign_out_everywhere(user: User) -> None:
    assert Api().post("/api/v1/auth/sessions/end", {}, user).status_code == 204


def disable(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def erase(user: User) -> None:
    assert privacy.erase(user.pk)


ENDS: dict[str, Callable[[User], None]] = {
    "password changed in admin": change_password,
    "password changed over the API": change_own_password,
    "password changed by a command": change_by_command,
    "password reset": reset,
    "password taken away": take_password_away,
    "signed out everywhere": sign_out_everywhere,
    "disabled": disable,
    "erased": erase,
}
each_end = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())


class Held:
    """What a thief of all credentials has."""

    def __init__(self, user: User) -> None:
        pair = sign_in.start(user)
        self.refresh, self.access = pair["refresh"], pair["access"]
        self.session = Client()
        self.session.force_login(user)
        self.minted = tokens.mint(user.pk, "WIN_MATCH")
        self.api = Api()

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}

    def calls(self) -> dict[str, Any]:
        body = {"action_type": "COMPLETE_TASK"}
        return {
            "own score": self.api.get("/api/v1/score/me", headers=self.bearer),
            "mint": self.api.post(MINT, body, headers=self.bearer),
            "verify access": self.api.post(f"{TOKEN}/verify", {"token": self.access}),
            "verify refresh": self.api.post(f"{TOKEN}/verify", {"token": self.refresh}),
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
    assert held.api.post(f"{TOKEN}/refresh", {"refresh": held.refresh}).status_code == 200


@each_end
def test_tokens_and_sessions_end_at_once(alice: User, end: Callable[[User], None]) -> None:
    held = Held(alice)
    end(alice)
    for name, answer in held.calls().items():
        assert answer.status_code in (401, 403), (name, answer.content)
    assert_problem(held.api.post(f"{TOKEN}/refresh", {"refresh": held.refresh}), "not-authenticated")
    assert "_auth_user_id" not in held.session.session or held.session.get("/play").status_code == 302


@each_end
def test_somebody_else_is_not_concerned(alice: User, bob: User, end: Callable[[User], None]) -> None:
    held = Held(bob)
    end(alice)
    assert held.api.get("/api/v1/score/me", headers=held.bearer).status_code == 200
    assert held.api.post(f"{TOKEN}/refresh", {"refresh": held.refresh}).status_code == 200


def test_what_was_minted_before_a_new_password_is_paid_to_its_owner(alice: User) -> None:
    """As documented: redeem believes the access token, and the points are the owner's, whichever client redeems."""
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
    known = identities.from_token(held.access)
    lifetime = site.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"].total_seconds()
    assert isinstance(known, identities.Identity)
    assert known.user_id == str(alice.pk)
    assert known.until <= time.time() + lifetime + site.JWT_LEEWAY
    assert identities.session_user(held.session.session.session_key or "") is None


def test_a_token_of_somebody_elses_sign_in_is_none(alice: User, bob: User) -> None:
    """Who shares the signing key may name anybody; the row knows whose it is."""
    bare = AccessToken()
    bare["sub"], bare["sid"] = str(alice.pk), AccessToken(sign_in.start(bob)["access"])["sid"]  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {bare}"}
    api = Api()
    assert_problem(api.get("/api/v1/score/me", headers=headers), "not-authenticated")
    assert_problem(api.post(MINT, {"action_type": "WIN_MATCH"}, headers=headers), "not-authenticated")
    assert_problem(api.post(f"{TOKEN}/verify", {"token": str(bare)}), "not-authenticated")


def test_no_pair_is_made_while_the_password_changes(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rotation has read the account; then the password changes; then it would hand out the pair."""
    held = Held(alice)
    monkeypatch.setattr(sign_in, "hit", lambda charge: passwords.replaced(alice, "another pass phrase"))
    assert_problem(held.api.post(f"{TOKEN}/refresh", {"refresh": held.refresh}), "not-authenticated")


def test_signing_in_with_the_new_password_makes_good_ones(alice: User) -> None:
    change_password(alice)
    pair = Api().post(TOKEN, {"username": "alice", "password": "another pass phrase"}).json()["data"]
    headers = {"Authorization": f"Bearer {pair['access']}"}
    assert Api().post(MINT, {"action_type": "COMPLETE_TASK"}, headers=headers).status_code == 201
