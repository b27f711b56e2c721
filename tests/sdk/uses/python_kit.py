"""What a site developer does with the kit; run alone, on the installed kit and Python's own library."""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from live_scoreboard import AsyncClient, Buffer, Client, Refused, ScoreboardError, Unavailable
from live_scoreboard.shapes import Board

SITE = json.loads(os.environ["SITE"])
URL, KEY, TOKEN = SITE["url"], SITE["key"], SITE["token"]


def waiting() -> None:
    with Client(URL, KEY, token=TOKEN) as client:
        first = client.award(id="a/1 é", player="42", action_type="WIN_MATCH", name="Alex")
        again = client.award(id="a/1 é", player="42", action_type="WIN_MATCH")
        assert (first["new_score"], first["replayed"], again["new_score"], again["replayed"]) == (50, False, 50, True)
        assert client.player("4/2", name="Sam", opted_out=False)["name"] == "Sam"
        assert client.viewer_token("42")["expires_in"] > 0
        assert client.act("COMPLETE_TASK")["score_delta"] == 10  # after the second that it takes
        assert client.score()["score"] == 10
        assert client.score("ext:42")["username"] == "Alex"
        while shown(client.top(2)) != [50, 10]:  # it may be half a second old
            time.sleep(0.05)
        assert shown(client.top(period="all")) == [50, 10]
        for call in (client.top, partial(client.score, "ext:42"), lambda period: next(client.watch(period=period))):
            assert failure(partial(call, period="2020-W01")).status == 404

        boards = client.watch(3)
        assert [50, 10] in map(shown, boards)
        client.award_later(id="later", player="7", action_type="WIN_MATCH")
        assert [50, 50, 10] in map(shown, boards)
        error = failure(lambda: client.award(id="a/1 é", player="43", action_type="WIN_MATCH"))
        assert isinstance(error, Refused)
        assert (error.status, error.kind, error.document["original"]["new_score"]) == (409, "id-reused", 50)
        assert error.document["request_id"] == error.request_id
        assert error.request_id in str(error)
    heard = threading.Event()
    with Client(URL, KEY, on_refused=lambda award, error: heard.set() if error.kind == "not-found" else None) as client:
        client.award_later(id="unknown type", player="7", action_type="NOTHING")
        assert client.close(60)
        assert heard.is_set()
    error = failure(Client("http://127.0.0.1:9", KEY, attempts=2).top)
    assert isinstance(error, Unavailable)
    assert error.status == 0
    assert error.request_id


def shown(board: Board) -> list[int]:
    return [row["score"] for row in board["top"]]


def failure(call: Callable[[], object]) -> ScoreboardError:
    try:
        call()
    except ScoreboardError as error:
        return error
    raise AssertionError("expected it to fail")


async def in_an_event_loop(path: str) -> None:
    async with AsyncClient(URL, KEY, token=TOKEN, buffer=Buffer(path)) as client:
        assert (await client.award(id="async", player="42", action_type="WIN_MATCH"))["new_score"] == 100
        boards = client.watch(1)
        while shown(await anext(boards)) != [100]:
            pass
        await client.award_later(id="async later", player="42", action_type="WIN_MATCH")
        while shown(await anext(boards)) != [150]:
            pass
        await boards.aclose()
        assert (await client.score("ext:42"))["rank"] == 1
        assert await client.close(60)


waiting()
asyncio.run(in_an_event_loop(sys.argv[1]))
sys.stdout.write("all is well\n")
