"""One name, one refresh token: of many at the same moment one gets it. Each with the race it would be otherwise."""

import threading
from collections import Counter
from typing import Any

import pytest
from django.db import connection

from accounts import passwords, sign_in
from accounts.identity.sign_ins import sign_in_id
from accounts.models import SignIn, User
from leaderboard.boards import Board
from tests.support.client import Api, assert_problem
from tests.support.people import PASSWORD
from tests.support.processes import PATIENCE
from tests.support.races import at_once, none_failed

pytestmark = pytest.mark.usefixtures("board", "unlimited", "unbounded_hashes")

REGISTER = "/api/v1/auth/register"
REFRESH = "/api/v1/auth/token/refresh"
VERIFY = "/api/v1/auth/token/verify"
THREADS = 16


def test_of_16_sign_ups_under_one_name_one_succeeds(board: Board) -> None:
    """In sixteen ways to write it: a name is taken in any capitals."""
    names = [name for name in ("alice", "Alice", "ALICE", "aLiCe") for _ in range(4)]

    def register(number: int) -> Any:
        body = {"username": names[number], "email": f"a{number}@example.org", "password": PASSWORD}
        return Api().post(REGISTER, body)

    answers = none_failed(at_once(THREADS, register))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: THREADS - 1}
    for answer in answers:
        if answer.status_code == 400:
            document = assert_problem(answer, "invalid-request")
            assert list(document["errors"]) == ["username"]
    assert User.objects.count() == 1


def test_of_16_sign_ups_with_one_address_one_succeeds(board: Board) -> None:
    def register(number: int) -> Any:
        email = "a@example.org" if number % 2 else "A@EXAMPLE.org"
        return Api().post(REGISTER, {"username": f"alice{number}", "email": email, "password": PASSWORD})

    answers = none_failed(at_once(THREADS, register))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: THREADS - 1}
    assert User.objects.count() == 1


def test_the_control_look_whether_the_name_is_free_then_take_it_lets_several_in(board: Board) -> None:
    """The same table without its unique indexes."""
    looked = threading.Barrier(4)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE users_without_index (username text)")

    def look_then_take(_: int) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM users_without_index WHERE lower(username) = 'alice'")
            [taken] = cursor.fetchone()
            looked.wait(PATIENCE)
            if not taken:
                cursor.execute("INSERT INTO users_without_index VALUES ('alice')")
            return not taken

    try:
        assert at_once(4, look_then_take) == [True] * 4
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE users_without_index")


def test_of_16_rotations_of_one_refresh_token_one_gets_a_pair_and_the_sign_in_ends(board: Board, alice: User) -> None:
    refresh = sign_in.start(alice)["refresh"]
    answers = none_failed(at_once(THREADS, lambda _: Api().post(REFRESH, {"refresh": refresh})))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: THREADS - 1}
    [pair] = [answer.json()["data"] for answer in answers if answer.status_code == 200]
    assert SignIn.objects.get().ended_at is not None, "fifteen presented a spent token"
    assert Api().post(REFRESH, {"refresh": pair["refresh"]}).status_code == 401


def test_the_control_look_at_the_row_then_rotate_hands_out_several_pairs(board: Board, alice: User) -> None:
    refresh = sign_in.start(alice)["refresh"]
    looked = threading.Barrier(8)

    def look_then_rotate(number: int) -> bool:
        token = sign_in.refresh_token(refresh)
        good = SignIn.objects.filter(jti=token["jti"], ended_at=None).exists()
        looked.wait(PATIENCE)
        return good and SignIn.objects.filter(pk=sign_in_id(token)).update(jti=f"{number}") == 1

    assert at_once(8, look_then_rotate) == [True] * 8


@pytest.mark.parametrize("beside", ["start", "rotate"])
def test_nothing_made_beside_a_new_password_outlives_it(board: Board, beside: str) -> None:
    """Sixteen threads with the old password, or a good refresh token each, and one that changes the password."""
    user = User.objects.create_user("zoe", "zoe@example.org", PASSWORD)
    read = [User.objects.get(pk=user.pk) for _ in range(THREADS)]
    refresh = [sign_in.start(one)["refresh"] for one in read]

    def act(number: int) -> Any:
        if number == THREADS // 2:
            return passwords.replaced(read[number], "another pass phrase")
        return sign_in.start(read[number]) if beside == "start" else sign_in.rotate(refresh[number])

    pairs = [made for made in at_once(THREADS, act) if isinstance(made, dict)]
    assert not SignIn.objects.filter(ended_at=None).exists()
    for pair in pairs:
        for token in pair.values():
            assert Api().post(VERIFY, {"token": token}).status_code == 401


def test_the_control_a_sign_in_that_does_not_lock_the_user_outlives_a_new_password(board: Board) -> None:
    """It has seen the old password; the new one ends what there is; then it writes its row."""
    user = User.objects.create_user("zoe", "zoe@example.org", PASSWORD)
    former = User.objects.get(pk=user.pk)
    assert former.check_password(PASSWORD)
    assert passwords.replaced(user, "another pass phrase")
    former.password = User.objects.get(pk=user.pk).password  # as if nothing compared it
    sign_in.start(former)
    assert SignIn.objects.filter(ended_at=None).exists()


def test_of_16_uses_of_one_reset_token_one_succeeds(board: Board) -> None:
    user = User.objects.create_user("zoe", "zoe@example.org", PASSWORD)
    token = passwords.token_for(user, passwords.RESET)

    def use(number: int) -> Any:
        return Api().post("/api/v1/auth/password/reset/confirm", {"token": token, "new": f"pass phrase no. {number}"})

    answers = none_failed(at_once(THREADS, use))
    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: THREADS - 1}
    [winner] = [number for number, answer in enumerate(answers) if answer.status_code == 204]
    user.refresh_from_db()
    assert user.check_password(f"pass phrase no. {winner}")
