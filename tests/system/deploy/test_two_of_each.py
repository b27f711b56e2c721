"""Two `web` and two `live` processes behind nginx work like one."""

import itertools
import json
import re
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import pytest
from django.conf import settings as configured
from django.db import connections
from pytest_django.fixtures import Settings

from accounts.models import User
from api.parsers import MAX_AWARDS_BODY_BYTES
from leaderboard import boards, ranking, rebuild
from tests.support.fixtures import forget_boards, forget_keys
from tests.support.people import back_end, bearer
from tests.support.processes import PATIENCE, eventually
from tests.system.deploy.nginx import Door, Web, post, two_of_each
from tests.system.live.clients import viewer
from tests.system.live.conftest import first_epoch, share
from tests.system.live.server import Server

Site = tuple[Door, list[Web], list[Server]]


class Shared:
    """One site, for as many tests as leave all of it running; then another."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self.folders = folders
        self.prefix = f"{configured.REDIS_KEY_PREFIX}{uuid.uuid4().hex[:12]}:"
        self.running = ExitStack()
        self.site: Site | None = None

    def intact(self) -> Site:
        if self.site is None or any(server.process.poll() is not None for server in (*self.site[1], *self.site[2])):
            self.running.close()
            self.site = self.running.enter_context(two_of_each(self.folders.mktemp("two")))
        return self.site


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Shared]:
    shared = Shared(tmp_path_factory)
    with shared.running:
        yield shared
    forget_keys(shared.prefix)


@pytest.fixture
def site(shared: Shared, transactional_db: None, settings: Settings) -> Iterator[Site]:
    """With an empty database, nothing in Redis, and an empty board that both `live` processes show."""
    share(settings, shared.prefix)
    forget_keys(shared.prefix)
    forget_boards()
    board = boards.get("global")
    eventually(lambda: rebuild.rebuild(board) or ranking.epoch(board), "the board is built, by us or by a process")
    site = shared.intact()
    for live in site[2]:
        eventually(lambda live=live: first_epoch(live) == ranking.epoch(board), "it shows this board")  # type: ignore[misc]
    yield site
    forget_boards()


def score(door: Server, user: User, action_type: str = "COMPLETE_TASK") -> dict[str, object]:
    """One action, minted and redeemed through nginx: the two calls may well meet different processes."""
    jwt = bearer(user)
    asked = json.dumps({"action_type": action_type, "user_id": str(user.pk)}).encode()
    minted = json.loads(post(door, "/api/v1/action/token", asked, **back_end()))
    body = {name: minted["data"][name] for name in ("action_id", "action_type", "action_token")}
    answer = json.loads(
        post(door, "/api/v1/score/update", json.dumps({**body, "timestamp": time.time()}).encode(), **jwt)
    )
    data: dict[str, object] = answer["data"]
    return data


def test_viewers_of_both_live_processes_get_the_same_seqs(site: Site, alice: User) -> None:
    door, _, lives = site
    with viewer(lives[0]) as one, viewer(lives[1]) as other:
        _, first = one.opening()
        _, second = other.opening()
        assert (first["epoch"], first["seq"]) == (second["epoch"], second["seq"])
        for total in (10, 20, 30):
            assert score(door, alice)["new_score"] == total
            updates = [watching.scores({"alice": total}) for watching in (one, other)]
            assert updates[0] == updates[1]


@pytest.mark.long
def test_viewers_through_the_door_are_spread_over_both_and_see_the_same(site: Site, alice: User) -> None:
    door, _, lives = site
    with viewer(door) as a, viewer(door) as b, viewer(door) as c, viewer(door) as d:
        viewers = [a, b, c, d]
        for one in viewers:
            one.opening()
        assert [live.viewers() for live in lives] == [2, 2]
        score(door, alice, "WIN_MATCH")
        updates = [one.scores({"alice": 50}) for one in viewers]
        assert all(update == updates[0] for update in updates)


@pytest.mark.long
def test_a_client_bounced_between_the_two_never_goes_back_in_time(site: Site, alice: User) -> None:
    door, _, lives = site
    stop = threading.Event()

    def keep_scoring() -> None:
        try:
            while not stop.is_set():
                score(door, alice)
        finally:
            connections.close_all()  # this thread's own

    writer = threading.Thread(target=keep_scoring)
    writer.start()
    try:
        epoch, seq, shown, moves = None, 0, 0, 0
        deadline = time.monotonic() + PATIENCE
        for turn in itertools.count():
            if moves == 10:
                break
            assert time.monotonic() < deadline, f"only {moves} new snapshots in {turn} turns"
            with viewer(lives[turn % 2]) as watching:
                hello, update = watching.opening()
                epoch = epoch or hello["epoch"]
                assert update["epoch"] == epoch
                # The rule for clients: within an epoch, what is not newer is dropped. So nothing can go back.
                if update["seq"] > seq:
                    points = update["top"][0]["score"] if update["top"] else 0
                    assert points >= shown
                    seq, shown, moves = update["seq"], points, moves + 1
    finally:
        stop.set()
        writer.join()


@pytest.mark.long
def test_each_web_process_answers_with_the_same_board(site: Site, alice: User, bob: User) -> None:
    door, webs, _ = site
    score(door, alice)
    score(door, bob, "WIN_MATCH")

    def boards_agree() -> bool:
        pages = [json.loads(web.get("/api/v1/scoreboard/top")) for web in webs]
        return pages[0] == pages[1] and [row["score"] for row in pages[0]["data"]] == [50, 10]

    eventually(boards_agree, "both processes show both players")


def test_the_stream_passes_unbuffered(site: Site, alice: User) -> None:
    door, _, _ = site
    with urllib.request.urlopen(door.http("/api/v1/scoreboard/stream"), timeout=PATIENCE) as stream:  # noqa: S310
        lines = iter(stream.readline, b"")
        assert any(line.startswith(b"event: leaderboard_update") for line in lines)
        score(door, alice)
        assert any(b'"score":10' in line for line in lines)


def test_the_top_comes_from_live_and_without_it_from_web(site: Site, alice: User) -> None:
    door, _, lives = site
    score(door, alice)

    def shown() -> list[int]:
        return [row["score"] for row in json.loads(door.get("/api/v1/scoreboard/top"))["data"]]

    eventually(lambda: shown() == [10], "live shows the player")
    for live in lives:
        live.close()
    assert shown() == [10]
    with pytest.raises(urllib.error.HTTPError):
        door.get("/api/v1/scoreboard/stream")


def test_a_live_process_that_dies_leaves_its_viewers_to_the_other(site: Site, alice: User) -> None:
    door, _, lives = site
    lives[0].close()
    with viewer(door) as watching:
        watching.opening()
        score(door, alice)
        watching.scores({"alice": 10})


@pytest.mark.long
def test_what_a_client_says_about_its_address_is_dropped(site: Site) -> None:
    door, webs, _ = site
    statuses = []
    for _ in range(12):
        spoofed = {"X-Forwarded-For": f"203.0.113.{uuid.uuid4().int % 250}"}
        try:
            post(door, "/api/v1/auth/token", b'{"username": "nobody", "password": "x"}', **spoofed)
        except urllib.error.HTTPError as refused:
            statuses.append(refused.code)
    assert statuses == [401] * 10 + [429] * 2
    for web in webs:  # so that what was refused is on record now, not in another test's database
        web.close()


@pytest.mark.long
def test_metrics_are_for_the_inside_and_not_for_the_world(site: Site) -> None:
    door, _, _ = site

    def asked_from(address: str) -> int:
        with closing(HTTPConnection("127.0.0.1", door.port, PATIENCE, source_address=(address, 0))) as connection:
            connection.request("GET", "/metrics")
            return connection.getresponse().status

    assert (asked_from("127.0.0.1"), asked_from("127.0.0.2")) == (200, 403)


def refused(request: urllib.request.Request) -> tuple[int, dict[str, str], dict[str, object]]:
    """Status, headers in small letters, and the problem document."""
    with pytest.raises(urllib.error.HTTPError) as met:
        urllib.request.urlopen(request, timeout=PATIENCE)  # noqa: S310
    answer = met.value
    headers = {name.lower(): value for name, value in answer.headers.items()}
    assert headers["content-type"] == "application/problem+json"
    return answer.code, headers, json.loads(answer.read())


@pytest.mark.long
def test_what_nginx_answers_by_itself_is_a_problem_document_too(site: Site, alice: User) -> None:
    door, webs, _ = site
    large = urllib.request.Request(  # noqa: S310
        door.http("/api/v1/score/batch"), b"x" * (MAX_AWARDS_BODY_BYTES + 1), {"X-Request-ID": "mine-12345"}
    )
    status, headers, document = refused(large)
    assert (status, document["type"], document["request_id"]) == (413, "/problems/payload-too-large", "mine-12345")
    assert headers["x-request-id"] == "mine-12345"
    for web in webs:
        web.close()
    forged = {"X-Request-ID": 'a"b\\'}
    status, headers, document = refused(urllib.request.Request(door.http("/api/v1/action/types"), headers=forged))  # noqa: S310
    assert (status, document["type"], headers["retry-after"]) == (503, "/problems/unavailable", "2")
    assert document["request_id"] == headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", str(document["request_id"]))


@pytest.mark.long
def test_a_shared_cache_is_told_that_some_cannot_unpack(site: Site, alice: User) -> None:
    door, _, _ = site
    score(door, alice)
    request = urllib.request.Request(door.http("/static/leaderboard/live-leaderboard.js"))  # noqa: S310
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
        assert "accept-encoding" in str(answer.headers.get_all("Vary")).lower()
