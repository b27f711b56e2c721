"""PostgreSQL stalls in the same process that pushes: only the client that asked it notices."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
from django.conf import settings as site
from django.test import Client

from accounts.models import User
from tests.support.processes import eventually
from tests.system.live.clients import viewer, watcher
from tests.system.live.conftest import Start
from tests.system.live.server import database_url
from tests.system.live.writing import write


@contextmanager
def sessions_locked() -> Iterator[None]:
    """Every look at a session waits until the block is left."""
    with psycopg.connect(database_url()) as other:
        other.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


def waiting_for_sessions() -> int:
    with psycopg.connect(database_url()) as other:
        row = other.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'sessions'::regclass"
        ).fetchone()
        return int(row[0]) if row else 0


def test_a_query_that_hangs_delays_no_push_and_no_greeting(start: Start, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    cookie = f"{site.SESSION_COOKIE_NAME}={client.cookies[site.SESSION_COOKIE_NAME].value}"
    server = start(LEADERBOARD_PUSH_INTERVAL_MS="50")
    own = f"http://127.0.0.1:{server.port}"
    with viewer(server) as bob, watcher(server) as carol, ExitStack() as after:
        for each in (bob, carol):
            each.opening()
        with sessions_locked():
            late = after.enter_context(viewer(server, origin=own, headers={"Cookie": cookie}))
            eventually(waiting_for_sessions, "the look at the session hangs")
            assert late.opening()[0]["user_id"] is None  # the board does not wait for it
            for version in range(1, 6):
                write("alice", version, version)
                for each in (bob, carol, late):
                    each.scores({"alice": version})
            assert waiting_for_sessions() == 1  # it hung all the time
        late.until("connection_success", user_id=str(alice.pk))


def test_a_visitor_who_leaves_while_it_hangs_is_forgotten(start: Start, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    cookie = f"{site.SESSION_COOKIE_NAME}={client.cookies[site.SESSION_COOKIE_NAME].value}"
    server = start(LEADERBOARD_PUBLIC="false")
    own = f"http://127.0.0.1:{server.port}"
    with sessions_locked():
        for _ in range(5):
            with viewer(server, origin=own, headers={"Cookie": cookie}):
                eventually(waiting_for_sessions, "the look at the session hangs")
    with viewer(server, origin=own, headers={"Cookie": cookie}) as page:
        assert page.opening()[0]["user_id"] == str(alice.pk)
    eventually(lambda: server.viewers() == 0, "all are gone")
