"""`GET /scoreboard/top` from this process's copy of the board: as Django would have answered, or by Django."""

import asyncio
import json
from typing import Any

import limits
import pytest
import redis.asyncio
from django.conf import settings as configured
from pytest_django.fixtures import Settings

from api import throttles
from leaderboard import ranking, snapshots
from leaderboard.boards import VISIBLE_TOP, Board
from leaderboard.live.address_limit import AddressLimit
from leaderboard.live.top import Top
from tests.support.processes import PATIENCE
from tests.system.live.top import ADDRESS, Answer, Django, ask, etag, run_with_hub
from tests.system.live.writing import write


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"query": "limit=3&offset=2"},
        {"query": "board=global&limit=100"},
        {"query": "offset=0"},
        {"query": "limit=%35"},
        {"method": "HEAD"},
        {"Origin": "https://shop.example"},
        {"Origin": "null"},
        {"X_Request_ID": "mine-12345"},
        {"X_Request_ID": "no\\sane id"},
        {"Accept": "text/html", "Accept_Encoding": "gzip, br", "Accept_Language": "de", "Range": "bytes=0-1"},
        {"Authorization": "Bearer nonsense", "X_API_Key": "sb_nonsense"},
        {"If_None_Match": "TAG"},
        {"If_None_Match": 'W/"other", W/TAG', "Origin": "https://shop.example"},
        {"If_None_Match": "*"},
        {"If_None_Match": '"other"'},
        {"If_Modified_Since": "Thu, 26 Nov 2026 10:00:00 GMT"},
    ],
)
def test_the_answer_is_the_one_django_would_give(copy: snapshots.Snapshot, request_: dict[str, Any]) -> None:
    asked: dict[str, Any] = {name: value.replace("TAG", etag(copy)) for name, value in request_.items()}

    async def both() -> tuple[Answer, Answer, Answer, int]:
        django = Django()
        top = Top(django)
        first = await ask(top, **asked)
        return first, await ask(Django(), **asked), await ask(top, **asked), django.asked

    first, (status, headers, body), mine, asked_django = run_with_hub(both())
    assert asked_django == 1  # the first time only
    assert (mine[0], mine[2]) == (status, body)
    ids = {answer.pop("x-request-id") for answer in (first[1], headers, mine[1])}
    assert ids == {"mine-12345"} or len(ids) == 3
    # Its directives come in the order of a set.
    policies = [answer.pop("content-security-policy").split("; ") for answer in (headers, mine[1])]
    assert sorted(policies[0]) == sorted(policies[1])
    assert mine[1] == headers


def test_headers_of_django_go_with_the_newest_body(board: Board, copy: snapshots.Snapshot) -> None:
    async def before_and_after() -> tuple[Answer, int]:
        django = Django()
        top = Top(django)
        await ask(top)
        write("player7", 1_000, 2)
        snapshots.put(board, ranking.top(board, VISIBLE_TOP))
        return await ask(top, If_None_Match=etag(copy)), django.asked

    (status, headers, body), asked_django = run_with_hub(before_and_after())
    assert (status, asked_django) == (200, 1)
    assert json.loads(body)["data"][0]["score"] == 1_000
    assert headers["content-length"] == str(len(body))
    assert headers["etag"] != etag(copy)


def test_headers_of_one_kind_of_request_go_to_no_other(copy: snapshots.Snapshot) -> None:
    kinds: list[dict[str, Any]] = [
        {},
        {"Origin": "https://shop.example"},
        {"X_Forwarded_Proto": "https"},
        {"Host": "127.0.0.1"},
        {"method": "HEAD"},
        {"If_None_Match": etag(copy)},
    ]

    async def in_turn() -> tuple[int, int]:
        django = Django()
        top = Top(django)
        for asked in [*kinds, *kinds]:
            await ask(top, **asked)
        return django.asked, (await ask(top, Host="evil.example"))[0]

    assert run_with_hub(in_turn()) == (len(kinds), 400)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"query": "limit=0"}, 400),
        ({"query": "limit=101"}, 400),
        ({"query": "limit=010"}, 400),
        ({"query": "limit=5&limit=5"}, 400),
        ({"query": "limit="}, 400),
        ({"query": "limit"}, 400),
        ({"query": "window=daily"}, 400),
        ({"query": "board=nowhere"}, 404),
        ({"query": "period=2026-W47"}, 404),
        ({"query": "limit=10&offset=91"}, 200),
        ({"method": "POST"}, 405),
        ({"method": "OPTIONS", "Origin": "https://a.example", "Access_Control_Request_Method": "GET"}, 200),
        ({"Host": "evil.example"}, 400),
        ({"body": b"{}"}, 200),
        ({"Cookie": "csrftoken=x"}, 200),
    ],
)
def test_what_must_be_judged_is_judged_by_django(
    copy: snapshots.Snapshot, request_: dict[str, Any], status: int
) -> None:
    async def twice() -> tuple[list[int], int]:
        django = Django()
        top = Top(django)
        return [(await ask(top, **request_))[0] for _ in range(2)], django.asked

    assert run_with_hub(twice()) == ([status, status], 2)


def test_a_private_board_is_djangos(copy: snapshots.Snapshot, settings: Settings) -> None:
    async def public_then_private() -> tuple[list[int], int]:
        django = Django()
        top = Top(django)
        statuses = [(await ask(top))[0] for _ in range(2)]
        settings.LEADERBOARD_PUBLIC = False
        return [*statuses, (await ask(top))[0]], django.asked

    assert run_with_hub(public_then_private()) == ([200, 200, 401], 2)


def test_a_copy_that_is_old_or_sqls_is_not_shown(
    copy: snapshots.Snapshot, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = snapshots.of(board)
    kept.current = snapshots.Snapshot(board, ranking.Page(None, None, 1.0, 0, []), copy.taken)
    assert snapshots.fresh(board) is None
    kept.current = copy
    assert snapshots.fresh(board) is copy
    monkeypatch.setattr(snapshots, "FRESH_SECONDS", 0.0)
    assert snapshots.fresh(board) is None
    with kept.refreshing:  # a reader is asking Redis right now
        assert snapshots.fresh(board) is copy
        monkeypatch.setattr(snapshots, "STALE_SECONDS", 0.0)
        assert snapshots.fresh(board) is None


def test_an_older_reading_does_not_replace_a_newer_one(copy: snapshots.Snapshot, board: Board) -> None:
    older = ranking.Page(copy.page.epoch, (copy.page.seq or 0) - 1, 1.0, 0, [])
    snapshots.put(board, older)
    assert snapshots.fresh(board) is copy


# --- the limit per address ---------------------------------------------------------------------------


def used() -> int:
    """What the count of all processes has of this address."""
    charge = throttles.charge("ip", ADDRESS)
    assert charge is not None
    return charge.item.amount - throttles.shared().get_window_stats(charge.item, "ip", ADDRESS).remaining


@pytest.fixture
def limit(settings: Settings, board: Board) -> int:
    settings.LIMITS = {**settings.LIMITS, "ip": "16/minute"}
    throttles.shared().clear(limits.parse("16/minute"), "ip", ADDRESS)
    return 16


def test_what_is_answered_here_counts_for_all(limit: int) -> None:
    async def take() -> list[bool]:
        client = redis.asyncio.Redis.from_url(configured.REDIS_URL)
        mine = AddressLimit(client)
        taken = [mine.take(ADDRESS) for _ in range(3)]
        async with asyncio.timeout(PATIENCE):
            while mine._reporting is not None:
                await asyncio.sleep(0.01)
        taken.append(mine.take(ADDRESS))
        await client.aclose()
        return taken

    # Two of sixteen before the first report, then an eighth of the fourteen that are left.
    assert run_with_hub(take()) == [True, True, False, True]
    assert used() == 2


def test_what_django_has_counted_is_used_up_here_too(limit: int) -> None:
    async def take() -> list[bool]:
        client = redis.asyncio.Redis.from_url(configured.REDIS_URL)
        mine = AddressLimit(client)
        for _ in range(limit - 1):
            throttles.hit(throttles.charge("ip", ADDRESS))
        first = mine.take(ADDRESS)
        async with asyncio.timeout(PATIENCE):
            while mine._reporting is not None:
                await asyncio.sleep(0.01)
        second = mine.take(ADDRESS)
        await client.aclose()
        return [first, second]

    assert run_with_hub(take()) == [True, False]
    assert used() == limit


def test_without_a_limit_nothing_is_counted(settings: Settings) -> None:
    settings.LIMITS = {**settings.LIMITS, "ip": "off"}

    async def take() -> bool:
        mine = AddressLimit(redis.asyncio.Redis.from_url(configured.REDIS_URL))
        return all(mine.take(ADDRESS) for _ in range(1000)) and mine._reporting is None

    assert run_with_hub(take())
