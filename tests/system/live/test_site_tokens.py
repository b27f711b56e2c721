"""Tokens of identity providers on the live side: what is bad over REST is bad here; what is good shows the own line."""

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler

import pytest
from django.conf import settings as site
from pytest_django.fixtures import Settings

from accounts import privacy
from accounts.models import User
from tests.support.client import Api
from tests.support.issuer import (
    BAD_TOKENS,
    MAKERS,
    OF_EACH_KIND,
    KeyServer,
    key_server,
    published,
    shops,
    signed,
    viewer_keys,
)
from tests.support.people import site_key
from tests.support.processes import PATIENCE, eventually
from tests.system.live.clients import Watching, answer, viewer, watcher
from tests.system.live.conftest import Fleet, share
from tests.system.live.server import Server, database_url
from tests.system.live.writing import empty_board, write

pytestmark = pytest.mark.usefixtures("transactional_db", "unlimited")

TOO_LONG = 4000  # for a message
AT_ONCE = 15  # messages of one viewer: 20 in ten seconds are allowed
PRIVATE = {"LEADERBOARD_PUBLIC": "false"}


@pytest.fixture(scope="module")
def keys() -> Iterator[KeyServer]:
    with key_server(*published()) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory, keys: KeyServer) -> Iterator[Fleet]:
    """Servers for this file's tests, which have the database for longer than one of them."""
    fleet = Fleet(tmp_path_factory.mktemp("issuers"))
    yield fleet
    fleet.close()


class Sites:
    """Servers that know the issuers; each on an empty board."""

    def __init__(self, fleet: Fleet, keys: KeyServer) -> None:
        self.fleet, self.keys = fleet, keys

    def without_database(self, **changes: str) -> Server:
        empty_board()
        return self.fleet.server(**{"VIEWER_KEYS": viewer_keys(self.keys.address), **changes})

    def server(self, **changes: str) -> Server:
        return self.without_database(DATABASE_URL=database_url(), **changes)


@pytest.fixture
def sites(fleet: Fleet, settings: Settings, keys: KeyServer) -> Sites:
    share(settings, fleet.prefix)
    return Sites(fleet, keys)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def award(number: int, who: str = "42", provider: str = "shop") -> str:
    """Ten points; our id of the player."""
    body = {"id": f"deed-{number}", "player": who, "action_type": "COMPLETE_TASK"}
    said = Api().post("/api/v1/awards", body, headers=site_key("award", provider=provider))
    assert said.status_code == 201, said.content
    return str(said.json()["data"]["user_id"])


every = pytest.param(list(BAD_TOKENS), marks=pytest.mark.long)
kinds = pytest.mark.parametrize("faults", [OF_EACH_KIND, every], ids=["of each kind", "every one"])


class TestBadTokens:
    """None of them needs the database to be refused."""

    def test_in_a_message(self, sites: Sites) -> None:
        server, wrong = sites.without_database(), {}
        tokens = [(fault, token) for fault, forge in BAD_TOKENS.items() if len(token := forge()) < TOO_LONG]
        for first in range(0, len(tokens), AT_ONCE):
            with viewer(server) as somebody:
                for fault, token in tokens[first : first + AT_ONCE]:
                    somebody.say(type="authenticate", token=token)
                    if (said := somebody.until("error")["code"]) != "not-authenticated":
                        wrong[fault] = said
        assert wrong == {}

    @kinds
    def test_in_a_request_for_the_stream(self, sites: Sites, faults: Sequence[str]) -> None:
        server, wrong = sites.without_database(), {}
        for fault in faults:
            with watcher(server, **bearer(BAD_TOKENS[fault]())) as somebody:
                said = [somebody.next() for _ in range(3)]
                kinds = {message["type"]: message for message in said}
                if kinds["connection_success"]["user_id"] is not None or "error" not in kinds:
                    wrong[fault] = str(said)
        assert wrong == {}

    @kinds
    def test_on_a_private_board(self, sites: Sites, faults: Sequence[str]) -> None:
        server, wrong = sites.without_database(**PRIVATE), {}
        for fault in faults:
            token = BAD_TOKENS[fault]()
            with viewer(server, headers=bearer(token)) as somebody:
                messages, close_code = somebody.ending()
            response, _ = answer(server, **bearer(token))
            codes = [message["code"] for message in messages]
            if (codes, close_code, response.status) != (["not-authenticated"], 4501, 401):
                wrong[fault] = f"{codes} {close_code} {response.status}"
        assert wrong == {}


@pytest.mark.parametrize(
    "algorithm",
    ["ES256", *(pytest.param(name, marks=pytest.mark.long) for name in ("HS256", *MAKERS) if name != "ES256")],
)
def test_a_player_s_own_line_moves(sites: Sites, algorithm: str) -> None:
    server = sites.server()
    token, provider = (shops(), "shop") if algorithm == "HS256" else (signed(algorithm), "accounts")
    with viewer(server) as socket, watcher(server, **bearer(token)) as stream:
        socket.opening()
        socket.say(type="authenticate", token=token)
        both: tuple[Watching, ...] = (socket, stream)
        for one in both:
            assert one.until("you")["score"] == 0  # made when first seen
        first = award(1, provider=provider)
        for one in both:
            assert one.until("you", score=10)["rank"] == 1
        socket.say(type="authenticate", token=token)
        socket.until("connection_success", user_id=first)


def test_a_viewer_token_of_ours_needs_no_database(sites: Sites) -> None:
    server = sites.without_database()
    asked = Api().post("/api/v1/viewer-tokens", {"player": "42"}, headers=site_key("viewers"))
    token, ours = asked.json()["data"]["token"], str(User.objects.get(external_id="42").pk)
    with viewer(server, protocols=("bearer", token)) as socket, watcher(server, **bearer(token)) as stream:
        socket.until("connection_success", user_id=ours)
        stream.until("connection_success", user_id=ours)


def test_a_next_token_replaces_the_one_before_and_another_player_s_replaces_the_player(sites: Sites) -> None:
    server = sites.server()
    first, second = award(1), award(2, "43")
    with viewer(server, protocols=("bearer", shops())) as page:
        page.until("connection_success", user_id=first)
        page.say(type="authenticate", token=shops(exp=0))
        assert page.until("error")["code"] == "not-authenticated"
        award(3)
        page.until("you", score=20)  # the viewer stays who it was
        page.say(type="authenticate", token=shops(sub="43"))
        page.until("connection_success", user_id=second)
        page.until("you", score=10)


@pytest.mark.long
def test_a_token_that_ends_ends_the_own_line(sites: Sites) -> None:
    server = sites.server()
    first = award(1)
    with viewer(server) as page:
        page.opening()
        # Believed for ten seconds more, with the leeway between clocks: this machine may be busy.
        page.say(type="authenticate", token=shops(exp=time.time() - site.JWT_LEEWAY + 10))
        page.until("connection_success", user_id=first)
        assert page.until("error")["code"] == "not-authenticated"
        page.until("connection_success", user_id=None)
        page.say(type="authenticate", token=shops())
        page.until("connection_success", user_id=first)


@pytest.mark.parametrize("end", ["disabled", pytest.param("erased", marks=pytest.mark.long)])
def test_a_ban_and_an_erasure_reach_the_open_connection(sites: Sites, end: str) -> None:
    """The player is looked at again after the lifetime of an access token, and is not made anew by that."""
    server = sites.server(JWT_ACCESS_MINUTES="0")
    first = award(1)
    with viewer(server, protocols=("bearer", shops())) as page:
        page.until("connection_success", user_id=first)
        if end == "disabled":
            User.objects.filter(pk=first).update(is_active=False)
        else:
            privacy.erase_now(uuid.UUID(first))
        assert page.until("error")["code"] == "not-authenticated"
        page.until("connection_success", user_id=None)
    assert User.objects.filter(external_id="42").exists() is (end == "disabled")


def test_a_private_board_shows_itself_to_a_site_s_players(sites: Sites) -> None:
    server = sites.server(**PRIVATE)
    first = award(1)
    with viewer(server) as socket, watcher(server, **bearer(signed(sub="7"))) as stream:
        socket.say(type="authenticate", token=shops())
        assert socket.opening()[0]["user_id"] == first
        assert stream.opening()[0]["user_id"] is not None


def test_without_postgresql_a_public_board_is_shown_and_a_private_one_says_come_back(sites: Sites) -> None:
    server = sites.without_database()
    with viewer(server, protocols=("bearer", shops())) as socket, watcher(server, **bearer(shops())) as stream:
        assert socket.opening()[0]["user_id"] is None
        assert stream.opening()[0]["user_id"] is None
        write("alice", 30)
        socket.scores({"alice": 30})
    private = sites.without_database(**PRIVATE)
    with viewer(private, protocols=("bearer", shops())) as socket:
        messages, close_code = socket.ending()
    assert ([message["code"] for message in messages], close_code) == (["unavailable"], 4001)
    response, _ = answer(private, **bearer(shops()))
    assert (response.status, response.headers["retry-after"]) == (503, "2")


def test_while_an_issuer_s_keys_are_fetched_the_others_are_served(sites: Sites) -> None:
    released = threading.Event()

    def slowly(request: BaseHTTPRequestHandler) -> None:
        released.wait(PATIENCE)
        address.publish(request)

    with key_server(*published()) as address:
        address.answer = slowly
        server = sites.server(VIEWER_KEYS=viewer_keys(address.address))
        first = award(1, provider="accounts")
        with viewer(server, protocols=("bearer", signed())) as waiting, viewer(server) as other:
            assert waiting.opening()[0]["user_id"] is None
            other.opening()
            eventually(lambda: bool(address.served), "the keys are asked for")
            other.say(type="authenticate", token=shops(sub="7"))
            other.until("you", score=0)
            award(2)
            waiting.until("leaderboard_update")
            released.set()
            # Now, or at the next attempt, if this took longer than an address may take.
            waiting.until("connection_success", user_id=first)
