"""Hashing passwords never takes all threads of a process: two at once, a few wait, the others are told to come back."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any

import pytest
from django.contrib.auth.hashers import ScryptPasswordHasher, make_password
from django.db import connections
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from leaderboard.boards import Board
from tests.support.admin_site import signed_in, superuser
from tests.support.client import TOP, Api, assert_problem
from tests.support.people import PASSWORD, bearer, player
from tests.support.processes import PATIENCE

pytestmark = pytest.mark.usefixtures("board", "unlimited")

THREADS = 10  # of the server in these tests
AT_ONCE, WAITING = 2, 3
NEW = {"username": "Zoe", "email": "zoe@example.org", "password": PASSWORD}


class SlowHashing:
    """Every hash waits until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.changed = threading.Condition()
        self.now = self.most = 0

    def encode(self, hasher: Any, password: str, *args: Any, **kwargs: Any) -> str:
        with self.changed:
            self.now += 1
            self.most = max(self.most, self.now)
            self.changed.notify_all()
        assert self.go.wait(PATIENCE)
        with self.changed:
            self.now -= 1
        return f"scrypt$16384$salt$8$1${password}"

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.now >= count, PATIENCE)

    def becomes_more_than(self, count: int) -> bool:
        """Whether a further one begins."""
        with self.changed:
            return self.changed.wait_for(lambda: self.now > count, 1)


@pytest.fixture
def slow(board: Board, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowHashing]:
    settings.HASHES_AT_ONCE, settings.HASHES_WAITING = AT_ONCE, WAITING
    slow = SlowHashing()
    monkeypatch.setattr(ScryptPasswordHasher, "encode", lambda *args, **kwargs: slow.encode(*args, **kwargs))
    yield slow
    slow.go.set()


@pytest.fixture
def server(slow: SlowHashing) -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """As many threads as a server has, each with its own connection."""

    def closing(call: Callable[[], Any]) -> Any:
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        yield lambda call: pool.submit(closing, call)
        slow.go.set()


def sign_in() -> Any:
    return Api().post("/api/v1/auth/token", {"username": "nobody", "password": "x"})


def test_two_are_hashed_some_wait_and_the_others_come_back(slow: SlowHashing, server: Any) -> None:
    asked = [server(sign_in) for _ in range(THREADS)]
    slow.wait_for(AT_ONCE)
    assert not slow.becomes_more_than(AT_ONCE)
    refused = [future.result() for future in islice(as_completed(asked, PATIENCE), THREADS - AT_ONCE - WAITING)]
    assert not slow.becomes_more_than(AT_ONCE), "the others wait"
    slow.go.set()
    answers = [future.result(PATIENCE) for future in asked]
    assert Counter(answer.status_code for answer in answers) == {
        401: AT_ONCE + WAITING,
        503: THREADS - AT_ONCE - WAITING,
    }
    for answer in refused:
        assert_problem(answer, "unavailable")
        assert int(answer["Retry-After"]) >= 1
    assert slow.most == AT_ONCE


def waits_for_none(future: Future[Any]) -> bool:
    """Whether this answer comes while the hashes still run."""
    try:
        return bool(future.result(1))
    except TimeoutError:
        return False


def test_other_requests_are_answered_meanwhile(slow: SlowHashing, server: Any) -> None:
    asked = [server(sign_in) for _ in range(4 * THREADS)]
    slow.wait_for(AT_ONCE)
    assert server(lambda: Api().get(TOP)).result(PATIENCE).status_code == 200
    assert not slow.go.is_set()
    slow.go.set()
    assert {future.result(PATIENCE).status_code for future in asked} == {401, 503}


def test_the_control_without_a_bound_every_thread_hashes_and_nothing_else_is_answered(
    slow: SlowHashing, server: Any, settings: Settings
) -> None:
    settings.HASHES_AT_ONCE = 1000
    asked = [server(sign_in) for _ in range(THREADS)]
    slow.wait_for(THREADS)
    board = server(lambda: Api().get(TOP))
    assert not waits_for_none(board)
    slow.go.set()
    assert board.result(PATIENCE).status_code == 200
    assert {future.result(PATIENCE).status_code for future in asked} == {401}


def doors(user: User, root: User) -> dict[str, Callable[[], Any]]:
    """Whatever checks or sets a password."""
    api, page, admin = Api(), signed_in(user), signed_in(root)
    change = {"old": PASSWORD, "new": "another pass phrase"}
    both = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    return {
        "sign in": lambda: api.post("/api/v1/auth/token", {"username": "nobody", "password": "x"}),
        "sign up": lambda: api.post("/api/v1/auth/register", NEW),
        "change": lambda: api.post("/api/v1/auth/password", change, headers=bearer(user)),
        "erase": lambda: api.send("DELETE", "/api/v1/me", b'{"password": "x"}', headers=bearer(user)),
        "page sign in": lambda: Client().post("/accounts/sign-in", {"username": "nobody", "password": "x"}),
        "page sign up": lambda: Client().post("/accounts/sign-up", NEW),
        "page change": lambda: page.post("/accounts/me/password", change),
        "page erase": lambda: page.post("/accounts/me/delete", {"password": "x"}),
        "admin sign in": lambda: Client().post("/admin/login/", {"username": "nobody", "password": "x"}),
        "admin sets a password": lambda: admin.post(f"/admin/accounts/user/{user.pk}/password/", both),
        "admin makes a user": lambda: admin.post("/admin/accounts/user/add/", {**NEW, **both}),
    }


def test_no_door_is_without_the_bound(slow: SlowHashing, server: Any, settings: Settings) -> None:
    user, root = player(), superuser()
    user.password = "scrypt$16384$salt$8$1$x"
    user.save(update_fields=["password"])
    settings.HASHES_WAITING = 0
    held = [server(lambda: make_password("x")) for _ in range(AT_ONCE)]
    slow.wait_for(AT_ONCE)
    answers = {name: call() for name, call in doors(user, root).items()}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 503)
    assert all(int(answer["Retry-After"]) >= 1 for answer in answers.values())
    slow.go.set()
    assert all(future.result(PATIENCE) for future in held)
    assert User.objects.count() == 2


def test_a_slot_is_given_back_whatever_happens(slow: SlowHashing, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any, **kwargs: Any) -> str:
        raise MemoryError

    monkeypatch.setattr(ScryptPasswordHasher, "encode", fails)
    for _ in range(2 * (AT_ONCE + WAITING)):
        with pytest.raises(MemoryError):
            make_password("x")
