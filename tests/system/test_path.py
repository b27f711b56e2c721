"""The one path, over real sockets: sign up, sign in, mint, redeem, and a viewer elsewhere sees it.

SQL, Redis, REST and the push agree to the digit and in order, and so do the ranks that players are told.
"""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from api import redis_client
from leaderboard import boards
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory
from tests.support.agreement import assert_agreement, shown, sql_rows
from tests.support.people import back_end
from tests.support.processes import PATIENCE, eventually
from tests.support.unlimited import UNLIMITED
from tests.system.deploy.nginx import Web
from tests.system.live.clients import Socket, viewer
from tests.system.live.conftest import assert_no_defect
from tests.system.live.server import Server

PASSWORD = "a long enough pass phrase"
IDLE_SECONDS = 10.0  # below the 30 that Granian waits for the next request


class Player:
    """A client that knows nothing but HTTP."""

    def __init__(self, web: Server, stack: ExitStack, name: str) -> None:
        self.connection = stack.enter_context(closing(HTTPConnection("127.0.0.1", web.port, timeout=PATIENCE)))
        self.used = time.monotonic()
        self.credentials: dict[str, str] = {}
        self.name = name
        self.id: str = self.ask(
            "POST", "auth/register", 201, **self.account(), email=f"{uuid.uuid4().hex}@example.org"
        )["user_id"]
        pair = self.ask("POST", "auth/token", 200, **self.account())
        self.access: str = pair["access"]
        self.credentials = {"Authorization": f"Bearer {self.access}"}
        self.back_end = back_end()

    def account(self) -> dict[str, str]:
        return {"username": self.name, "password": PASSWORD}

    def ask(self, method: str, path: str, status: int, **body: Any) -> Any:
        """The `data` of an answer that must have this status."""
        self.hang_up_if_idle()
        self.connection.request(
            method,
            f"/api/v1/{path}",
            json.dumps(body) if method == "POST" else None,
            {**self.credentials, **({"Content-Type": "application/json"} if method == "POST" else {})},
        )
        answer = self.connection.getresponse()
        document = json.loads(answer.read())
        assert answer.status == status, list(document.items())
        return document.get("data", document)

    def mint(self, action_type: str) -> dict[str, Any]:
        own, self.credentials = self.credentials, self.back_end
        minted = self.ask("POST", "action/token", 201, action_type=action_type, user_id=self.id)
        self.credentials = own
        return {name: minted[name] for name in ("action_id", "action_type", "action_token")}

    def act(self, action_type: str) -> Any:
        """Mints and redeems; what the answer says."""
        return self.ask("POST", "score/update", 200, **self.mint(action_type), timestamp=time.time())

    def hang_up_if_idle(self) -> None:
        """As browsers do: a server closes a connection that was not used for a while, at any moment."""
        if time.monotonic() - self.used > IDLE_SECONDS:
            self.connection.close()  # the next request opens it again
        self.used = time.monotonic()

    def top(self) -> Any:
        self.hang_up_if_idle()
        self.connection.request("GET", "/api/v1/scoreboard/top?limit=100")
        return json.loads(self.connection.getresponse().read())


@pytest.fixture
def servers(board: Board, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """One `web`, as the Procfile starts it, and one `live`."""
    web = Web(tmp_path / "web.log", REDIS_TIMEOUT="20", **UNLIMITED)
    live = Server(tmp_path / "live.log")
    yield web, live
    for server in (web, live):
        server.close()
        assert_no_defect(server)


@pytest.fixture
def join(servers: tuple[Server, Server]) -> Iterator[Callable[[str], Player]]:
    """Signs a new player up and in."""
    with ExitStack() as stack:
        yield lambda name: Player(servers[0], stack, name)


def in_redis(board: Board) -> list[tuple[str, int]]:
    """(user id, total) in the order of the sorted set, without any code of the site's."""
    redis: Any = redis_client.connection()
    members = redis.zrevrange(boards.keys(board).rank, 0, -1, withscores=True)
    return [(member[16:].decode(), int(total)) for member, total in members]


def assert_all_agree(board: Board, player: Player, watching: Socket) -> None:
    """SQL, Redis, REST and the newest push show one board."""
    rows = sql_rows()
    assert in_redis(board) == [(row.user_id, row.score) for row in rows]

    def pushed() -> list[dict[str, Any]]:
        message = watching.until("leaderboard_update")
        top: list[dict[str, Any]] = message["top"]
        return top if top == shown(rows) and message["players"] == len(rows) else []

    assert pushed() or eventually(pushed, "the push shows what SQL has")
    eventually(lambda: player.top()["data"] == shown(rows), "REST shows what SQL has")
    answer = player.top()
    assert answer["players"] == len(rows)
    assert_agreement(board)


def test_what_a_player_earns_over_http_a_viewer_elsewhere_sees(
    board: Board, servers: tuple[Server, Server], join: Callable[[str], Player]
) -> None:
    _, live = servers
    with viewer(live, "?limit=100") as watching:
        _, empty = watching.opening()
        assert (empty["top"], empty["players"]) == ([], 0)
        alice = join("alice")
        assert alice.act("WIN_MATCH") | {"action_id": None} == {
            "action_id": None,
            "new_score": 50,
            "rank": 1,
            "score_delta": 50,
        }
        assert_all_agree(board, alice, watching)
        [row] = ScoreHistory.objects.values_list("user_id", "delta", "new_total")
        assert row == (User.objects.get(username="alice").pk, 50, 50)


@pytest.mark.long
def test_many_players_in_any_order_and_everyone_is_told_the_same(
    board: Board, servers: tuple[Server, Server], join: Callable[[str], Player]
) -> None:
    _, live = servers
    chance = random.Random(11)
    with viewer(live, "?limit=100") as watching:
        watching.opening()
        crowd = [join(f"player {number} \u00e9\U0001f600") for number in range(8)]
        for _ in range(60):  # few types, few players: ties all the time
            player = chance.choice(crowd)
            told = player.act(chance.choice(["DAILY_LOGIN", "COMPLETE_TASK", "WIN_MATCH"]))
            rows = sql_rows()
            [mine] = [row for row in rows if row.user_id == player.id]
            assert (told["new_score"], told["rank"]) == (mine.score, mine.rank)
        assert_all_agree(board, crowd[0], watching)

        for row in sql_rows():
            [player] = [player for player in crowd if player.id == row.user_id]
            me = player.ask("GET", "score/me", 200)
            assert (me["score"], me["rank"], me["players"]) == (row.score, row.rank, len(sql_rows()))
            around = player.ask("GET", f"score/{player.id}/around?radius=2", 200)
            assert around == shown(sql_rows())[max(0, row.rank - 3) : row.rank + 2]


@pytest.mark.long
def test_a_reply_that_was_lost_can_be_asked_for_again(board: Board, join: Callable[[str], Player]) -> None:
    alice = join("alice")
    body = {**alice.mint("WIN_MATCH"), "timestamp": time.time()}
    alice.connection.request(
        "POST", "/api/v1/score/update", json.dumps(body), {**alice.credentials, "Content-Type": "application/json"}
    )
    eventually(lambda: ScoreHistory.objects.exists(), "the score is recorded")
    alice.connection.close()  # without having read the answer
    original = alice.ask("POST", "score/update", 409, **body)["original"]
    assert (original["new_score"], original["score_delta"]) == (50, 50)
    assert ScoreHistory.objects.count() == 1
    assert_agreement(board)


@pytest.mark.long
def test_a_signed_in_viewer_is_told_the_own_place(
    servers: tuple[Server, Server], join: Callable[[str], Player]
) -> None:
    _, live = servers
    alice, bob = join("alice"), join("bob")
    with viewer(live, headers=alice.credentials) as watching:
        alice.act("COMPLETE_TASK")
        assert watching.until("you", score=10) == {"type": "you", "score": 10, "rank": 1, "players": 1}
        bob.act("WIN_MATCH")
        assert watching.until("you", rank=2) == {"type": "you", "score": 10, "rank": 2, "players": 2}
        me = alice.ask("GET", "score/me", 200)
        assert (me["score"], me["rank"], me["players"]) == (10, 2, 2)
