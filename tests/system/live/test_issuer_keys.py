"""An issuer rotates its keys under two server processes: each learns of it by itself, in time, and no storm of made-up
key ids has them ask oftener."""

import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from accounts.identity import key_sets
from accounts.models import User
from tests.support.issuer import KeyServer, jwk, key_server, private, signed, viewer_keys
from tests.support.processes import PATIENCE, eventually
from tests.support.unlimited import UNLIMITED
from tests.system.live.conftest import Start
from tests.system.live.server import Server

pytestmark = pytest.mark.django_db(transaction=True)

DOCUMENTED = (300.0, 10.0)  # seconds until a withdrawn key is refused, and between two fetches
REFRESH_SECONDS, AGAIN_SECONDS = 3.0, 1.0  # in the processes of this test
STORM, AT_ONCE = 120, 16


class HastyServer(Server):
    command = (
        "-c",
        "from config import server\n"
        "from accounts.identity import key_sets\n"
        f"key_sets.REFRESH_SECONDS, key_sets.AGAIN_SECONDS = {REFRESH_SECONDS}, {AGAIN_SECONDS}\n"
        "server.main()",
    )


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with key_server(jwk("ES256", "first", "first")) as server:
        yield server


def token(name: str, kid: str = "") -> str:
    return signed("ES256", key=private("ES256", name), header={"kid": kid or name})


def asked(server: Server, bearer: str) -> int:
    """The status of a call that only a player makes."""
    call = urllib.request.Request(server.http("/api/v1/score/me"))  # noqa: S310
    call.add_header("Authorization", f"Bearer {bearer}")
    try:
        with urllib.request.urlopen(call, timeout=PATIENCE) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def answers(server: Server, bearer: str, status: int) -> bool:
    return asked(server, bearer) == status


def storm(servers: list[Server]) -> None:
    """Many made-up key ids at both at once, beside honest players, who are let in."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        made_up = [pool.submit(asked, servers[n % 2], token("thief", uuid.uuid4().hex)) for n in range(STORM)]
        honest = [pool.submit(asked, servers[n % 2], token("second")) for n in range(20)]
        assert {one.result() for one in made_up} <= {401, 503}
        assert {one.result() for one in honest} == {200}


@pytest.mark.long
def test_both_take_the_new_key_refuse_the_old_one_and_stand_a_storm(start: Start, keys: KeyServer) -> None:
    assert (key_sets.REFRESH_SECONDS, key_sets.AGAIN_SECONDS) == DOCUMENTED
    both = [start(HastyServer, VIEWER_KEYS=viewer_keys(keys.address), **UNLIMITED) for _ in range(2)]
    assert [asked(server, token("first")) for server in both] == [200, 200]
    assert len(keys.served) == 2, "each fetches for itself"

    keys.keys.append(jwk("ES256", "second", "second"))
    for server in both:
        eventually(partial(answers, server, token("second"), 200), "the new key is good")
    assert [asked(server, token("first")) for server in both] == [200, 200], "beside the one before"

    keys.keys = [jwk("ES256", "second", "second")]
    for server in both:
        eventually(partial(answers, server, token("first"), 401), "the withdrawn one is refused")
    assert [asked(server, token("second")) for server in both] == [200, 200]
    assert [asked(server, token("first", "second")) for server in both] == [401, 401]
    assert User.objects.filter(provider="accounts").count() == 1

    before, began = len(keys.served), time.monotonic()
    made_up = 0
    while made_up < STORM or len(keys.served) == before:  # until they were asked at least once
        storm(both)
        made_up += STORM
    most = 2 * ((time.monotonic() - began) / AGAIN_SECONDS + 1)
    assert len(keys.served) - before <= most
