"""Under another ASGI server than our own, as with `manage.py runserver`, viewers get the same."""

import pytest

from tests.support.processes import eventually
from tests.system.live.clients import answer, authorization, token_of, viewer, watcher
from tests.system.live.conftest import Start
from tests.system.live.server import DaphneServer, Server, UvicornServer
from tests.system.live.writing import user_id, write


@pytest.fixture(params=[DaphneServer, UvicornServer], ids=["daphne", "plain uvicorn"])
def other(start: Start, request: pytest.FixtureRequest) -> Server:
    return start(request.param, LEADERBOARD_PUSH_INTERVAL_MS="50")


def test_both_transports_work(other: Server) -> None:
    with viewer(other, protocols=("bearer", token_of())) as alice, watcher(other, **authorization(token_of())) as bob:
        for watching in (alice, bob):
            watching.until("connection_success", user_id=str(user_id("alice")))
            watching.until("leaderboard_update")
        for version in range(1, 20):
            write("alice", version, version)
        for watching in (alice, bob):
            watching.until("you", score=19)
        write("bob", 7)
        for watching in (alice, bob):
            watching.scores({"alice": 19, "bob": 7})
        alice.say(type="resume")
        alice.scores({"alice": 19, "bob": 7})
    eventually(lambda: other.viewers() == 0, "both are forgotten")


@pytest.mark.long
def test_refusals_are_explained(other: Server) -> None:
    with viewer(other, "?limit=0") as alice:
        messages, close_code = alice.ending()
    assert [message["code"] for message in messages] == ["invalid-request"]
    assert close_code == 4504
    assert answer(other, "?limit=0")[0].status == 400


def test_the_site_itself_is_there(other: Server) -> None:
    assert b"ok" in other.get("/readyz")
