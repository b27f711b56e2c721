"""Players who join boards over the API, and what it tells of these boards."""

from typing import Any

from accounts.models import User
from leaderboard import snapshots
from tests.boards.definitions import BOARDS
from tests.support.client import TOP, Api


def join(api: Api, user: User, slug: str = "league") -> Any:
    return api.send("POST", f"{BOARDS}/{slug}/join", b"", user)


def leave(api: Api, user: User, slug: str = "league") -> Any:
    return api.send("DELETE", f"{BOARDS}/{slug}/join", b"", user)


def shown(api: Api, query: str = "board=league") -> list[tuple[str, int]]:
    snapshots._snapshots.clear()
    answer = api.get(f"{TOP}?{query}")
    assert answer.status_code == 200, answer.content
    return [(row["username"], row["score"]) for row in answer.json()["data"]]


def mine(api: Api, user: User, board: str = "league") -> tuple[bool, int, int | None]:
    said = api.get(f"/api/v1/score/me?board={board}", user).json()["data"]
    return said["joined"], said["score"], said["rank"]
