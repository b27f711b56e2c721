"""A process takes as many viewers as it is told to, in all and from one address."""

from contextlib import ExitStack

from tests.support.processes import eventually
from tests.system.live.clients import answer, viewer, watcher
from tests.system.live.conftest import Start
from tests.system.live.server import NOWHERE, Server


def test_a_full_server_sends_viewers_on_until_somebody_leaves(start: Start) -> None:
    server = start(DATABASE_URL=NOWHERE, LEADERBOARD_MAX_VIEWERS="2")
    with viewer(server) as alice, watcher(server) as bob:
        alice.opening()
        bob.opening()
        with viewer(server) as carol:
            messages, close_code = carol.ending()
        assert [message["code"] for message in messages] == ["unavailable"]
        assert close_code == 4002  # come back
        response, _ = answer(server)
        assert response.status == 503
        assert int(response.headers["retry-after"]) > 0
        assert viewer_is_served(server) is False
    eventually(lambda: viewer_is_served(server), "there is room again")


def viewer_is_served(server: Server) -> bool:
    with viewer(server) as anyone:
        return bool(anyone.next()["type"] == "connection_success")


def test_an_address_has_its_share_and_the_proxy_says_whose_it_is(start: Start) -> None:
    server = start(DATABASE_URL=NOWHERE, LEADERBOARD_MAX_VIEWERS_PER_ADDRESS="2", TRUSTED_PROXIES="1")
    with ExitStack() as connections:
        for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "unix:", "unix:", "unix:"):
            one = connections.enter_context(viewer(server, headers={"X-Forwarded-For": address}))
            one.opening()
        with viewer(server, headers={"X-Forwarded-For": "192.0.2.2, 192.0.2.1"}) as third:
            messages, close_code = third.ending()
        assert [message["code"] for message in messages] == ["rate-limited"]
        assert close_code == 4002
        response, _ = answer(server, X_Forwarded_For="192.0.2.1")
        assert response.status == 429
        assert response.headers["retry-after"]


def test_nobody_who_was_refused_is_counted(start: Start) -> None:
    server = start(DATABASE_URL=NOWHERE, LEADERBOARD_MAX_VIEWERS="1", LEADERBOARD_PUBLIC="false")
    for _ in range(3):
        assert answer(server)[0].status == 401
        assert answer(server, "?limit=0")[0].status == 400
        with viewer(server, headers={"Authorization": "Bearer x"}) as alice:
            assert alice.ending()[1] == 4501
