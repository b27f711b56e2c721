"""PostgreSQL away: 503 with Retry-After on every call that needs it, nothing half-done, and back when it is back."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper

from accounts import sign_in
from accounts.models import SignIn, User
from actions.models import ActionToken
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory, UserScore
from tests.support.agreement import assert_agreement, shown, sql_rows
from tests.support.client import MINT, TOP, UPDATE
from tests.support.cut_wire import CutWire, cut_wire
from tests.support.people import PASSWORD, give
from tests.support.processes import eventually
from tests.support.unlimited import UNLIMITED
from tests.support.wire import Client
from tests.system.deploy.nginx import Web
from tests.system.live.server import Server


@pytest.fixture
def wire() -> Iterator[CutWire]:
    with cut_wire() as wire:
        yield wire


@pytest.fixture(params=["group commit", "each its own statement"])
def web(request: pytest.FixtureRequest, board: Board, wire: CutWire, tmp_path: Path) -> Iterator[Server]:
    grouped = "1" if request.param == "group commit" else "0"
    web = Web(tmp_path / "web.log", DATABASE_URL=wire.url, ACTION_GROUP_COMMIT=grouped, **UNLIMITED)
    yield web
    web.close()
    log = web.log.read_text()
    assert "Internal Server Error" not in log
    assert "Traceback" not in log


def tables() -> list[Any]:
    """Everything a call could have written."""
    with connection.cursor() as cursor:
        counts = []
        for table in ("users", "user_scores", "score_history", "action_tokens", "queued_work"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            counts.append((table, cursor.fetchone()))
    return [*counts, *UserScore.objects.values_list("user_id", "total", "version")]


def calls(alice: User, body: dict[str, Any]) -> list[tuple[str, str, User | None, Any]]:
    """Every call that cannot do without PostgreSQL."""
    refresh = {"refresh": sign_in.start(alice)["refresh"]}
    account = {"username": "newcomer", "password": PASSWORD}
    nobody = uuid.uuid4()
    return [
        ("POST", "/api/v1/auth/register", None, {**account, "email": "newcomer@example.org"}),
        ("POST", "/api/v1/auth/token", None, account),
        ("POST", "/api/v1/auth/token/refresh", None, refresh),
        ("POST", "/api/v1/auth/token/verify", None, {"token": refresh["refresh"]}),
        ("POST", "/api/v1/auth/logout", None, refresh),
        ("POST", MINT, alice, {"action_type": "COMPLETE_TASK"}),
        ("POST", UPDATE, alice, body),
        ("POST", "/api/v1/score/batch", alice, {"actions": [body]}),
        ("POST", "/api/v1/score/bonus", alice, {"user_id": str(nobody), "points": 1, "reason": "x"}),
        ("GET", "/api/v1/action/types", None, None),
        ("GET", "/api/v1/score/me", alice, None),
        ("GET", f"/api/v1/score/{nobody}", None, None),
        ("GET", f"/api/v1/score/{nobody}/around", None, None),
        ("GET", f"/api/v1/score/{alice.pk}/history", alice, None),
    ]


def test_every_call_that_needs_it_says_so_and_does_nothing(
    board: Board, wire: CutWire, web: Server, alice: User, bob: User
) -> None:
    give(bob, 7)
    with Client(web) as client:
        body = client.mint(alice)
        asked = calls(alice, body)
        before, sign_ins = tables(), set(SignIn.objects.values_list("pk", "jti", "ended_at"))
        wire.cut()
        for method, path, user, sent in asked:
            status, document = client.ask(method, path, user, sent)
            assert (path, status, client.headers["content-type"]) == (path, 503, "application/problem+json")
            assert document["type"] == "/problems/unavailable"
            assert document["request_id"] == client.headers["x-request-id"]
            assert int(client.headers["retry-after"]) > 0
            for giveaway in ("psycopg", "5432", str(wire.door.getsockname()[1]), "Connection refused", "server"):
                assert giveaway not in document["detail"]
        assert client.get("/readyz")[0] == 503
        assert client.get("/healthz")[0] == 200
        # The board needs Redis only.
        assert client.get(TOP)[1]["data"] == shown(sql_rows())
        assert client.get(f"/api/v1/score/{bob.pk}")[1]["data"]["rank"] == 1
        assert tables() == before
        # The test has made further ones for its tokens; those there were are untouched, and none is another user's.
        assert sign_ins <= set(SignIn.objects.values_list("pk", "jti", "ended_at"))
        assert not SignIn.objects.exclude(user=alice).exists()

        wire.mend()
        eventually(lambda: client.get("/readyz")[0] == 200, "the process finds PostgreSQL again")
        for _ in range(8):  # each of its threads
            assert client.get("/api/v1/score/me", alice)[0] == 200
        assert client.post(UPDATE, body, alice)[1]["data"]["new_score"] == 50
        assert client.act(alice)["new_score"] == 100
    assert_agreement(board)


def test_who_never_heard_what_became_of_a_score_asks_again_and_is_not_paid_twice(
    board: Board, wire: CutWire, web: Server, alice: User
) -> None:
    """The statement is executed and committed; the connection breaks before its answer."""
    with Client(web) as client:
        body = client.mint(alice)
        wire.mute_after = b"action_redeem"
        client.send("POST", UPDATE, alice, body)
        eventually(lambda: ScoreHistory.objects.exists(), "the score is recorded")
        wire.cut()
        assert client.receive()[0] == 503

        wire.mend()
        status, document = eventually(lambda: settled(client.post(UPDATE, body, alice)), "PostgreSQL is found again")
        assert (status, document["original"]["new_score"]) == (409, 50)
    assert ScoreHistory.objects.count() == 1
    assert ActionToken.objects.get().redeemed_at is not None


def settled(answer: tuple[int, Any]) -> tuple[int, Any] | None:
    return answer if answer[0] != 503 else None


def test_sessions_that_a_restart_ended_cost_no_call(board: Board, web: Server, alice: User) -> None:
    """Each of the server's threads has a connection of its own, and the batcher one more."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(web)) for _ in range(8)]
        for client in clients:
            client.act(alice)
        end_sessions()
        for number, client in enumerate(clients):
            assert client.get("/api/v1/score/me", alice)[0] == 200
            assert client.act(alice)["new_score"] == 50 * (9 + number)
    assert_agreement(board)


def test_a_postgresql_that_takes_no_writes_is_away_for_writes_only(
    board: Board, web: Server, alice: User, bob: User
) -> None:
    """After a fail-over a session may be one of the standby, or of a primary that became one."""
    give(bob, 7)
    with Client(web) as client:
        body = client.mint(alice)
        before = tables()
        with read_only():
            assert client.get("/readyz")[1]["postgresql"] == "read-only"
            for method, path, user, sent in writes(alice, body):
                status, document = client.ask(method, path, user, sent)
                assert (path, status, document["type"]) == (path, 503, "/problems/unavailable")
                assert int(client.headers["retry-after"]) > 0
            for path in (TOP, "/api/v1/score/me", "/api/v1/action/types", f"/api/v1/score/{alice.pk}/history"):
                assert (path, client.ask("GET", path, alice if "score/" in path else None, None)[0]) == (path, 200)
            assert b"bob" in web.get("/embed/global")
            assert tables() == before
        assert client.post(UPDATE, body, alice)[1]["data"]["new_score"] == 50
    assert_agreement(board)


def writes(alice: User, body: dict[str, Any]) -> list[tuple[str, str, User | None, Any]]:
    return [call for call in calls(alice, body) if call[0] == "POST" and call[1] not in UNCHANGED]


UNCHANGED = {
    "/api/v1/auth/token",
    "/api/v1/auth/token/verify",
    "/api/v1/score/bonus",
}  # refused before they would write


@contextmanager
def read_only() -> Iterator[None]:
    """What `ALTER DATABASE` says holds for sessions that begin later."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        end_sessions()
        try:
            yield
        finally:
            cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    end_sessions()


def end_sessions() -> None:
    """Ends those of the site, and returns when they have ended."""
    others = (
        " FROM pg_stat_activity WHERE application_name = 'scoreboard' AND datname = current_database()"
        " AND pid <> pg_backend_pid()"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(pg_terminate_backend(pid)){others}")
        assert cursor.fetchone()[0] > 0, "the control"
        eventually(lambda: none_of(cursor, f"SELECT count(*){others}"), "the sessions have ended")


def none_of(cursor: CursorWrapper, sql: str) -> bool:
    cursor.execute(sql)
    return bool(cursor.fetchone()[0] == 0)
