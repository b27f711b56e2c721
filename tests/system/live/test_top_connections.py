"""The visible top over connections of the site's own server: written at once, in its turn, as any other answer."""

import asyncio
import re
import socket
from typing import Any

import pytest
import uvicorn

from leaderboard import snapshots
from leaderboard.live.http_protocol import SiteHttp
from leaderboard.live.top import Top
from tests.support.processes import PATIENCE
from tests.system.live.top import Django, etag, run_with_hub

Reply = tuple[int, dict[str, str], bytes]


class Site:
    """The ASGI application that config.server serves, as far as it matters here, and how often it was called."""

    def __init__(self) -> None:
        self.top = Top(Django())
        self.called = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.called += 1
        await self.top(scope, receive, send)


async def talk(site: Site, sent: list[str]) -> list[list[Reply]]:
    """What each of these lists of requests is answered, one list after the other over one connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        site, http=SiteHttp, lifespan="off", log_config=None, proxy_headers=False, server_header=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        async with asyncio.timeout(PATIENCE):
            while not server.started:
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            replies = []
            try:
                for requests in sent:
                    writer.write(requests.encode())
                    methods = re.findall(r"^(\S+) \S+ HTTP/", requests, re.MULTILINE)
                    replies.append([await reply(reader, method) for method in methods])
            finally:
                writer.close()
                await writer.wait_closed()
    finally:
        server.should_exit = True
        await serving
    return replies


async def reply(reader: asyncio.StreamReader, method: str) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    headers = dict(re.findall(r"^([^:\r]+): ([^\r]*)\r$", head, re.MULTILINE))
    status = int(head.split()[1])
    length = 0 if method == "HEAD" or status == 304 else int(headers["content-length"])
    return status, headers, await reader.readexactly(length)


def request(query: str = "", *lines: str, method: str = "GET", version: str = "1.1") -> str:
    head = [f"{method} /api/v1/scoreboard/top{query} HTTP/{version}", "Host: localhost", *lines]
    return "\r\n".join(head) + "\r\n\r\n"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("line", ["Accept: */*", "Origin: https://shop.example", "If-None-Match: TAG"])
def test_what_is_written_at_once_is_what_the_application_answers(
    copy: snapshots.Snapshot, method: str, line: str
) -> None:
    site = Site()
    asked = request("?limit=3", line.replace("TAG", etag(copy)), method=method)
    [first], [second], [third] = run_with_hub(talk(site, [asked] * 3))
    assert site.called == 1  # for the headers, which are Django's
    assert second[1].pop("x-request-id") != third[1].pop("x-request-id") != first[1].pop("x-request-id")
    for answer in (first, second, third):
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer[1].pop("date"))
    assert first == second == third


def test_answers_come_in_the_order_of_their_requests(copy: snapshots.Snapshot) -> None:
    """A client that sends several without waiting, some of them Django's to judge."""
    queries = ["?limit=1", "?limit=0", "?limit=2", "?limit=3", "?limit=101", "?limit=4"]
    site = Site()
    _, replies = run_with_hub(talk(site, [request(), "".join(request(query) for query in queries)]))
    assert [status for status, _, _ in replies] == [200, 400, 200, 200, 400, 200]
    assert [body.count(b'"rank"') for status, _, body in replies if status == 200] == [1, 2, 3, 4]


@pytest.mark.parametrize("ends", [request("", "Connection: close"), request(version="1.0")])
def test_a_connection_that_is_to_end_does(copy: snapshots.Snapshot, ends: str) -> None:
    async def ask() -> None:
        with pytest.raises(asyncio.IncompleteReadError):
            await talk(Site(), [request(), ends, request()])

    run_with_hub(ask())


def test_a_client_s_own_request_id_comes_back(copy: snapshots.Snapshot) -> None:
    site = Site()
    _, [told], [made] = run_with_hub(
        talk(site, [request(), request("", "X-Request-ID: mine-12345"), request("", "X-Request-ID: a\tb")])
    )
    assert site.called == 1
    assert told[1]["x-request-id"] == "mine-12345"
    assert re.fullmatch("[0-9a-f]{32}", made[1]["x-request-id"])
