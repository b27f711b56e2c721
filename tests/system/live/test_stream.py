"""Server-Sent Events: the same board for those who cannot, or need not, answer."""

import json
from functools import cache
from typing import Any

import pytest
import yaml

from api.query import declared
from leaderboard.serializers import LiveQuery
from tests.support.processes import ROOT
from tests.system.live.clients import answer, viewer, watcher
from tests.system.live.conftest import PUSH_MS
from tests.system.live.server import Server
from tests.system.live.writing import page, user_id, write


def test_the_stream_greets_shows_the_board_and_goes_on(live: Server) -> None:
    with watcher(live) as alice:
        hello, snapshot = alice.opening()
        assert hello["user_id"] is None
        assert hello["interval_ms"] == PUSH_MS
        assert alice.id == f"{snapshot['epoch']}:{snapshot['seq']}"
        write("alice", 30)
        snapshot = alice.scores({"alice": 30})
        assert snapshot["top"][0]["user_id"] == str(user_id("alice"))
        assert alice.id == f"{snapshot['epoch']}:{snapshot['seq']}"


def test_both_transports_say_the_same(live: Server) -> None:
    with watcher(live, "?limit=2") as alice, viewer(live, "?limit=2") as bob:
        for score, name in enumerate(("alice", "bob", "carol")):
            write(name, 30 + score)
        last = page().seq
        assert alice.until("leaderboard_update", seq=last) == bob.until("leaderboard_update", seq=last)


def test_the_answer_is_one_that_nobody_on_the_way_keeps_or_changes(live: Server) -> None:
    with watcher(live, X_Request_ID="sane-request-id") as alice:
        headers = alice.response.headers
        assert alice.response.status == 200
        assert headers["content-type"] == "text/event-stream"
        assert headers["cache-control"] == "no-cache, no-transform"
        assert headers["x-accel-buffering"] == "no"
        assert headers["access-control-allow-origin"] == "*"
        assert headers["x-request-id"] == "sane-request-id"


def test_viewers_are_told_to_come_back_at_different_times(live: Server) -> None:
    delays = set()
    for _ in range(8):
        with watcher(live) as alice:
            alice.opening()
            delays |= set(alice.retries)
    assert len(delays) > 1
    assert all(1000 <= delay <= 6000 for delay in delays)


def test_coming_back_with_what_is_newest_is_answered_with_current(live: Server) -> None:
    with watcher(live) as alice:
        _, snapshot = alice.opening()
    with watcher(live, Last_Event_ID=str(alice.id)) as alice:
        assert alice.next()["type"] == "connection_success"
        assert alice.next() == {"type": "current", "epoch": snapshot["epoch"], "seq": snapshot["seq"], "players": 0}
        write("alice", 30)
        alice.scores({"alice": 30})


@pytest.mark.parametrize(
    "claimed",
    [
        *("", ":", "x", "{epoch}", "{epoch}:", "{epoch}:0", "{epoch}:99999999", "{epoch}:-1", "{epoch}:1.0"),
        *("x:{seq}", ":{seq}", "{epoch}:{seq}:", "{seq}:{epoch}", "\xff\xfe:\xa0"),
        *("9" * 4000 + ":{seq}", "{epoch}:" + "9" * 4000),
    ],
)
def test_coming_back_with_anything_else_brings_the_newest_snapshot(live: Server, claimed: str) -> None:
    board = page()
    with watcher(live, Last_Event_ID=claimed.format(epoch=board.epoch, seq=board.seq)) as alice:
        _, snapshot = alice.opening()
        assert (snapshot["epoch"], snapshot["seq"]) == (board.epoch, board.seq)


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ("?limit=0", 400, "invalid-request"),
        ("?limit=101", 400, "invalid-request"),
        ("?limit=ten", 400, "invalid-request"),
        ("?window=daily", 400, "invalid-request"),
        ("?limit=1&limit=2", 400, "invalid-request"),
        ("?board=global&board=global", 400, "invalid-request"),
        ("?" + "&".join(f"x{number}=1" for number in range(30)), 400, "invalid-request"),
        ("?board=nowhere", 503, "unavailable"),  # without SQL it is not known
    ],
)
def test_a_query_that_cannot_be_served_is_a_problem(live: Server, query: str, status: int, kind: str) -> None:
    response, body = answer(live, query)
    assert response.status == body["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert body["type"] == f"/problems/{kind}"
    assert body["request_id"] == response.headers["x-request-id"]
    if status == 400:
        assert body["errors"]


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_only_get_is_allowed(live: Server, method: str) -> None:
    response, body = answer(live, "", method, Content_Length="0")
    assert response.status == 405
    assert response.headers["allow"] == "GET, OPTIONS"
    assert body is None if method == "HEAD" else body["type"] == "/problems/method-not-allowed"


def test_a_page_of_another_origin_may_ask_to_send_its_token(live: Server) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access_Control_Request_Method": "GET"}
    response, _ = answer(live, "", "OPTIONS", **asked, Access_Control_Request_Headers="authorization")
    assert response.status == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert "authorization" in response.headers["access-control-allow-headers"].lower()


def test_names_cannot_break_out_of_an_event(live: Server) -> None:
    name = "a\nevent: you\rdata: {}\n\n\u2028\x00<b>"
    with watcher(live) as alice:
        alice.opening()
        write(name, 30)
        snapshot = alice.scores({name: 30})
        assert json.loads(json.dumps(snapshot))["top"][0]["username"] == name


@cache
def schema() -> Any:
    return yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())


@pytest.mark.parametrize("query", ["?limit=0", "?limit=101", "?limit=x", "?board=nowhere", "?window=daily", "?board="])
def test_each_refusal_is_one_that_the_schema_describes(live: Server, query: str) -> None:
    response, body = answer(live, query)
    document = schema()
    described: dict[str, Any] = document["paths"]["/api/v1/scoreboard/stream"]["get"]["responses"][str(response.status)]
    described = document["components"]["responses"][described["$ref"].rpartition("/")[2]]
    assert list(described["content"]) == [response.headers["content-type"]]
    assert all(response.headers[name.lower()] for name in described["headers"])
    assert body["type"].removeprefix("/problems/") in described["description"]


def test_the_schema_describes_the_parameters_that_are_parsed() -> None:
    document = schema()
    listed = document["paths"]["/api/v1/scoreboard/stream"]["get"]["parameters"]
    assert {one["name"] for one in listed if one["in"] == "query"} == set(declared(LiveQuery))
