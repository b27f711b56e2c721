"""What is kept between a server and its clients, and what is kept in Redis."""

import pickle
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.core.cache import cache
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from api import redis_client
from leaderboard import snapshots
from leaderboard.boards import VISIBLE_TOP, Board
from tests.support.client import MINT, TOP, Api
from tests.support.people import PASSWORD, give

NOBODY = "/api/v1/score/00000000-0000-4000-8000-000000000000"


def shared(answer: Any) -> bool:
    """Whether a cache in between may give this answer to another client."""
    directives = {part.strip().partition("=")[0] for part in answer.get("Cache-Control", "public").split(",")}
    return not directives & {"private", "no-store"}


def test_only_the_public_board_is_kept_by_shared_caches(api: Api, board: Board, alice: User) -> None:
    give(alice, 7)
    User.objects.create_user("bob", "bob@example.org", PASSWORD)
    assert shared(api.get(TOP))
    assert shared(api.get(f"/api/v1/score/{alice.pk}"))
    credentials = {"username": "bob", "password": PASSWORD}
    for answer in (
        api.get("/api/v1/score/me", alice),
        api.get(f"/api/v1/score/{alice.pk}/history", alice),
        api.post(MINT, {"action_type": "COMPLETE_TASK"}, alice),
        api.post("/api/v1/auth/token", credentials),
        api.post("/api/v1/auth/token", {**credentials, "password": "wrong"}),
        api.get("/api/v1/score/me"),
        api.get("/api/v1/nowhere"),
        api.get(NOBODY),  # kept, it would hide a player who comes to be
        api.get(f"{TOP}?limit=0"),
    ):
        assert not shared(answer), answer


@pytest.mark.parametrize("path", ["/", "/play", "/embed", "/accounts/sign-in", "/admin/login/"])
def test_no_page_of_somebody_who_is_signed_in_is_kept(board: Board, alice: User, path: str) -> None:
    client = Client()
    client.force_login(alice)
    answer = client.get(path)
    assert not shared(answer) or "Cookie" in answer.get("Vary", "")


def test_an_etag_of_one_user_opens_nothing_to_another(api: Api, board: Board, alice: User, bob: User) -> None:
    give(alice, 7)
    etag = api.get(TOP)["ETag"]
    for user in (None, bob):
        answer = api.get("/api/v1/score/me", user, headers={"If-None-Match": etag})
        assert answer.status_code == (401 if user is None else 200)


def test_on_a_private_board_an_etag_is_no_key(api: Api, board: Board, alice: User, settings: Settings) -> None:
    settings.LEADERBOARD_PUBLIC = False
    etag = api.get(TOP, alice)["ETag"]
    assert api.get(TOP, alice, headers={"If-None-Match": etag}).status_code == 304
    assert api.get(TOP, headers={"If-None-Match": etag}).status_code == 401


def test_headers_that_no_cache_looks_at_change_no_public_answer(api: Api, board: Board) -> None:
    """What an attacker could plant in a cache by a header that is not part of its key."""
    plain = api.get(TOP)
    for name in ("X-Forwarded-Host", "X-Forwarded-Scheme", "X-Original-URL", "Accept", "Accept-Language", "Cookie"):
        answer = api.get(TOP, headers={name: "evil.example"})
        assert (answer.status_code, answer.content, answer["ETag"]) == (200, plain.content, plain["ETag"])
        assert "evil" not in str(list(answer.items()))


def test_all_slices_of_the_board_are_a_bounded_memory(board: Board) -> None:
    """A cache key for each query would be as many as anybody cares to make up."""
    snapshot = snapshots.get(board)
    for limit in range(1, VISIBLE_TOP + 1):
        for offset in range(VISIBLE_TOP - limit + 1):
            snapshot.body(limit, offset)
    assert len(snapshot.bodies) == VISIBLE_TOP * (VISIBLE_TOP + 1) // 2


class Bomb:
    """Runs when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return Path.touch, (self.trace,)


def test_what_somebody_writes_into_redis_is_never_run(tmp_path: Path, redis_of_its_own: None) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "ran"))
    pickle.loads(bomb)  # noqa: S301 (the control)
    (tmp_path / "ran").unlink()
    key = cache.make_key("bomb")
    redis_client.connection().set(key, bomb)
    with pytest.raises(ValueError, match=r"decode|Expecting|utf"):
        cache.get("bomb")
    redis_client.connection().delete(key)
    assert not (tmp_path / "ran").exists()
    assert current_app.conf.accept_content == ["json"]
