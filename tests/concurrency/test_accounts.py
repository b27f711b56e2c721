"""One name, one refresh token: of many at the same moment one gets it. Each with the race it would be otherwise."""

import threading
from collections import Counter
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.models import User
from leaderboard.boards import Board
from tests.client import Api, assert_problem
from tests.people import PASSWORD
from tests.races import at_once, none_failed

pytestmark = pytest.mark.usefixtures("board", "unlimited")

REGISTER = "/api/v1/auth/register"
REFRESH = "/api/v1/auth/token/refresh"
THREADS = 16


@pytest.fixture(autouse=True)
def quick_hashing(settings: Settings) -> None:
    """Sixteen scrypt hashes at once would need half a gigabyte and all of the time; they are not what races here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


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
            looked.wait(30)
            if not taken:
                cursor.execute("INSERT INTO users_without_index VALUES ('alice')")
            return not taken

    try:
        assert at_once(4, look_then_take) == [True] * 4
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE users_without_index")


def test_of_16_rotations_of_one_refresh_token_one_gets_a_pair(board: Board, alice: User) -> None:
    refresh = str(RefreshToken.for_user(alice))
    answers = none_failed(at_once(THREADS, lambda _: Api().post(REFRESH, {"refresh": refresh})))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: THREADS - 1}
    assert BlacklistedToken.objects.count() == 1
    assert OutstandingToken.objects.count() == 2  # the spent one and its one successor
    [pair] = [answer.json()["data"] for answer in answers if answer.status_code == 200]
    assert Api().post(REFRESH, {"refresh": pair["refresh"]}).status_code == 200


def test_the_control_look_into_the_blacklist_then_rotate_hands_out_several_pairs(board: Board, alice: User) -> None:
    refresh = str(RefreshToken.for_user(alice))
    looked = threading.Barrier(8)

    def look_then_rotate(_: int) -> bool:
        old = RefreshToken(refresh)  # type: ignore[arg-type]  # raises if it is blacklisted
        looked.wait(30)
        old.blacklist()
        return bool(str(RefreshToken.for_user(alice)))

    assert at_once(8, look_then_rotate) == [True] * 8
    assert OutstandingToken.objects.count() == 9
