"""What the Python kit says and when, without I/O: each request, each wait, and what an answer means."""

import json
from typing import Any

import pytest
from live_scoreboard import Buffer, Refused, ScoreboardError, Unavailable
from live_scoreboard.core import Answer, Core, Line, Send, Show, Wait

URL = "https://scores.example/base/"
DONE: dict[str, Any] = {"id": "a", "status": 201}


def core(attempts: int = 5) -> Core:
    return Core(URL, "sb_key", "a.b.c", attempts, Buffer())


def answer(status: int, document: Any, **headers: str) -> Answer:
    return Answer(status, headers, json.dumps(document).encode())


def problem(status: int, kind: str, **headers: str) -> Answer:
    return answer(status, {"type": f"/problems/{kind}", "title": "No", "detail": "Really."}, **headers)


def results(*each: dict[str, Any]) -> Answer:
    return answer(200, {"success": True, "data": {"results": each}})


def test_the_same_request_is_sent_until_there_is_an_answer() -> None:
    steps = core().award(id="a", player="42", action_type="WIN_MATCH")
    first = next(steps)
    assert isinstance(first, Send)
    assert (first.method, first.path) == ("POST", "/base/api/v1/awards")
    assert first.headers["Authorization"] == "Bearer sb_key"
    before = 0.0
    for reply in (ConnectionError(), problem(503, "unavailable"), Answer(200, {}, b"<html>")):
        wait = steps.send(reply)
        assert isinstance(wait, Wait)
        assert wait.seconds > before / 2
        before = wait.seconds
        assert steps.send(None) == first
    with pytest.raises(StopIteration) as end:
        steps.send(answer(201, {"success": True, "data": {"new_score": 50}}))
    assert end.value.value == {"new_score": 50}


def test_a_call_goes_on_in_the_trace_of_its_caller_and_what_is_sent_later_in_none() -> None:
    one = Core(URL, "sb_key", None, 5, Buffer(), lambda: "00-aa-bb-01")
    one.buffer.add({"id": "a", "player": "42", "action_type": "WIN_MATCH"})
    said = [next(steps) for steps in (one.top(), one.award(id="b", player="42", action_type="WIN_MATCH"))]
    assert [send.headers["traceparent"] for send in said if isinstance(send, Send)] == ["00-aa-bb-01"] * 2
    for steps in (one.deliver(lambda *_: None), one.watch(3, "global"), core().top()):
        send = next(steps)
        assert isinstance(send, Send)
        assert "traceparent" not in send.headers


def test_the_servers_own_word_on_when_to_come_back_counts() -> None:
    steps = core().top()
    next(steps)
    wait = steps.send(problem(429, "rate-limited", **{"retry-after": "17"}))
    assert isinstance(wait, Wait)
    assert 17 <= wait.seconds <= 18


def test_a_wait_that_is_too_long_is_an_error_at_once() -> None:
    steps = core().top()
    next(steps)
    with pytest.raises(Unavailable):
        steps.send(problem(429, "rate-limited", **{"retry-after": "3000"}))


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (problem(403, "player-disabled"), Refused),
        (problem(409, "id-reused"), Refused),
        (Answer(404, {}, b"<html>"), Refused),
        (Answer(301, {}, b""), Refused),
        (problem(425, "too-early"), Unavailable),
        (Answer(200, {}, b'{"login": "first"}'), Unavailable),
        (TimeoutError("timed out"), Unavailable),
    ],
)
def test_an_error_says_whether_it_is_final_and_names_the_request(reply: Any, kind: type[ScoreboardError]) -> None:
    steps = core(attempts=1).award(id="a", player="42", action_type="WIN_MATCH")
    sent = next(steps)
    assert isinstance(sent, Send)
    with pytest.raises(kind) as raised:
        steps.send(reply)
    assert raised.value.request_id == sent.headers["X-Request-ID"]
    assert raised.value.request_id in str(raised.value)
    assert "POST /base/api/v1/awards" in str(raised.value)


def test_the_lost_answer_of_a_redemption_is_found_again() -> None:
    steps = core().act("COMPLETE_TASK")
    next(steps)
    minted = {
        "action_id": "1",
        "action_type": "COMPLETE_TASK",
        "action_token": "t",
        "issued_at": "2026-01-01T00:00:00Z",
    }
    sent = steps.send(answer(201, {"success": True, "data": minted}))
    assert isinstance(sent, Send)
    assert json.loads(sent.body or b"")["timestamp"] == pytest.approx(1_767_225_600, abs=60)
    steps.send(ConnectionError())
    steps.send(None)
    original = {"new_score": 20, "score_delta": 10, "redeemed_at": "2026-01-01T00:00:01Z"}
    with pytest.raises(StopIteration) as end:
        steps.send(answer(409, {"type": "/problems/already-redeemed", "original": original}))
    assert end.value.value == {"action_id": "1", "new_score": 20, "score_delta": 10, "rank": None}


def test_a_redemption_that_a_busy_site_queues_is_asked_for_until_it_is_done() -> None:
    def queued() -> Any:
        steps = core(attempts=3).act("COMPLETE_TASK")
        next(steps)
        minted = dict.fromkeys(("action_id", "action_type", "action_token"), "1")
        steps.send(answer(201, {"success": True, "data": {**minted, "issued_at": "2026-01-01T00:00:00Z"}}))
        assert isinstance(steps.send(answer(202, {"success": True, "data": {"work_id": "w"}})), Wait)
        return steps

    def said(*results: dict[str, Any]) -> Answer:
        return answer(200, {"success": True, "data": {"results": list(results) or None}})

    early = {"status": 425, "type": "/problems/too-early"}
    steps, paid = queued(), {"action_id": "1", "new_score": 20, "score_delta": 10, "rank": 3}
    assert steps.send(None).path == "/base/api/v1/score/requests/w"
    assert isinstance(steps.send(said()), Wait)
    steps.send(None)
    assert steps.send(said(early)).path == "/base/api/v1/score/update"
    assert isinstance(steps.send(answer(202, {"success": True, "data": {"work_id": "w"}})), Wait)
    steps.send(None)
    with pytest.raises(StopIteration) as end:
        steps.send(said({"status": 200, **paid}))
    assert end.value.value == paid

    steps = queued()
    steps.send(None)
    with pytest.raises(Refused, match="Really"):
        steps.send(said({"status": 410, "type": "/problems/token-expired", "detail": "Really."}))

    steps = queued()
    for _ in range(2):
        steps.send(None)
        assert isinstance(steps.send(said()), Wait)
    steps.send(None)
    with pytest.raises(Unavailable, match="queued"):
        steps.send(said())


class Delivery:
    """The buffer with some awards, and what is sent of them."""

    def __init__(self, *ids: str) -> None:
        self.core, self.refused = core(), list[str]()
        for id in ids:
            self.core.buffer.add({"id": id, "player": "42", "action_type": "WIN_MATCH"})
        self.steps = self.core.deliver(lambda award, error: self.refused.append(f"{award['id']} {error.kind}"))

    def sent(self, reply: Any = None) -> list[str]:
        """The ids in the next request; [] when nothing waits any more."""
        try:
            step = self.steps.send(reply)
            if isinstance(step, Wait):
                step = self.steps.send(None)
        except StopIteration:
            return []
        assert isinstance(step, Send)
        return [award["id"] for award in json.loads(step.body or b"")["awards"]]


@pytest.mark.parametrize(
    "reply",
    [
        ConnectionError(),
        problem(503, "unavailable"),
        problem(401, "not-authenticated"),
        problem(403, "forbidden"),
        Answer(413, {}, b"<html>"),
        Answer(200, {}, b"<html>"),
        answer(200, {"success": True, "data": {"results": []}}),
        problem(400, "invalid-request"),
    ],
)
def test_without_an_answer_to_each_award_all_of_them_stay(reply: Any) -> None:
    delivery = Delivery("a", "b")
    assert delivery.sent() == ["a", "b"]
    assert delivery.sent(reply)[0] == "a"
    assert (delivery.core.buffer.count, delivery.refused) == (2, [])
    assert delivery.core.trouble or reply.status == 200


def test_each_award_is_taken_out_by_its_own_answer() -> None:
    delivery = Delivery("a", "b", "c")
    delivery.sent()
    refused = {"id": "b", "status": 404, "type": "/problems/not-found", "title": "No"}
    assert delivery.sent(results(DONE, refused, {"id": "c", "status": 503})) == ["c"]
    assert delivery.refused == ["b not-found"]
    assert delivery.sent(results(DONE | {"id": "c"})) == []


def test_one_that_spoils_the_others_is_found_and_reported() -> None:
    delivery = Delivery("a", "b", "spoilt", "d")
    batch, requests = delivery.sent(), 0
    while batch and requests < 20:
        requests += 1
        spoilt = "spoilt" in batch
        batch = delivery.sent(problem(400, "invalid-request") if spoilt else results(*[DONE] * len(batch)))
    assert delivery.refused == ["spoilt invalid-request"]
    assert delivery.core.buffer.count == 0


def test_fewer_are_sent_at_once_when_the_keys_limit_is_reached() -> None:
    delivery = Delivery(*"abcdefgh")
    assert len(delivery.sent()) == 8
    assert len(delivery.sent(problem(429, "rate-limited"))) == 4


def test_a_report_that_fails_is_made_again() -> None:
    delivery = Delivery("a", "b")
    delivery.steps = delivery.core.deliver(lambda award, error: 1 / 0)  # type: ignore[arg-type]
    delivery.sent()
    with pytest.raises(ZeroDivisionError):
        delivery.sent(results({"id": "a", "status": 404}, DONE))
    assert list(delivery.core.buffer.oldest(10)) == ["a"]


def board(epoch: str, seq: int) -> dict[str, Any]:
    return {"type": "leaderboard_update", "epoch": epoch, "seq": seq, "timestamp": 1.5, "players": 0, "top": []}


def test_a_viewer_shows_what_is_newer_and_comes_back() -> None:
    steps, stream = core().watch(10, "global"), object()

    def heard(*messages: dict[str, Any]) -> list[tuple[str | None, int | None]]:
        """What is shown after these messages of a new connection, which then ends."""
        shown, step = [], steps.send(stream)
        for line in [f"data: {json.dumps(message)}\n".encode() for message in messages] + [b"\n", b""]:
            assert step == Line(stream)
            step = steps.send(line)
            if isinstance(step, Show):
                shown.append((step.board["epoch"], step.board["seq"]))
                step = steps.send(None)
        assert isinstance(step, Wait)
        assert isinstance(steps.send(None), Send)
        return shown

    next(steps)
    assert heard({"type": "connection_success"}, board("x", 5), board("x", 4), board("x", 6)) == [("x", 5), ("x", 6)]
    assert heard(board("x", 6), {"type": "ping"}, board("y", 1)) == [("y", 1)]
    with pytest.raises(Refused):
        steps.send(problem(404, "not-found"))
