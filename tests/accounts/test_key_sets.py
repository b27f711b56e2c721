"""The keys of an issuer: fetched when needed, kept while good, and asked for no oftener than agreed."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from pytest_django.fixtures import Settings

from accounts.identity import key_sets
from accounts.identity.key_sets import KeySet, parse
from accounts.identity.proofs import KeysOutOfReach
from tests.support.client import Api, assert_problem
from tests.support.issuer import MAKERS, KeyServer, jwk, key_server, private, published, signed, viewer_keys
from tests.support.processes import PATIENCE, eventually
from tests.support.tls import certificate

ME = "/api/v1/score/me"


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server(*published()) as server:
        yield server


def later(keys: KeySet) -> None:
    """Ten seconds after the last fetch."""
    eventually(lambda: keys.fetching is None, "no fetch is under way")
    keys.not_before = time.monotonic()


def much_later(keys: KeySet) -> None:
    """Five minutes after it."""
    later(keys)
    keys.fetched_at = time.monotonic() - key_sets.REFRESH_SECONDS - 1


def held(server: KeyServer) -> threading.Event:
    """From now on the address answers when the event is set."""
    released = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        released.wait(PATIENCE)
        server.publish(request)

    server.answer = answer
    return released


def outcome(keys: KeySet, kid: str | None, *, wait: bool = True) -> str:
    try:
        return "good" if keys.find(kid, wait=wait) else "unknown"
    except KeysOutOfReach:
        return "out of reach"


def test_they_are_fetched_once_for_however_many_calls(server: KeyServer) -> None:
    keys = KeySet(server.address)
    released = held(server)
    with ThreadPoolExecutor(key_sets.WAITING) as pool:
        waiting = [pool.submit(outcome, keys, "RS256") for _ in range(key_sets.WAITING)]
        eventually(lambda: keys.waiting == key_sets.WAITING, "they wait")
        released.set()
        assert [one.result() for one in waiting] == ["good"] * key_sets.WAITING
    assert [outcome(keys, algorithm, wait=False) for algorithm in MAKERS for _ in range(50)] == ["good"] * 150
    assert server.served == ["/keys"]


def test_no_more_than_a_few_calls_wait_and_an_event_loop_never_does(server: KeyServer) -> None:
    keys = KeySet(server.address)
    released = held(server)
    with ThreadPoolExecutor(key_sets.WAITING) as pool:
        waiting = [pool.submit(outcome, keys, "RS256") for _ in range(key_sets.WAITING)]
        eventually(lambda: keys.waiting == key_sets.WAITING, "they wait")
        assert outcome(keys, "RS256") == "out of reach"
        assert outcome(keys, "RS256", wait=False) == "out of reach"
        released.set()
        assert {one.result() for one in waiting} == {"good"}
    assert keys.waiting == 0


def test_a_new_key_id_has_them_fetched_again(server: KeyServer) -> None:
    keys = KeySet(server.address)
    assert outcome(keys, "ES256") == "good"
    server.keys = [jwk("ES256", "ES256"), jwk("ES256", "new", "new")]
    assert outcome(keys, "new") == "unknown"  # just now
    later(keys)
    assert [outcome(keys, kid) for kid in ("new", "ES256", "RS256")] == ["good", "good", "unknown"]
    assert len(server.served) == 2


def test_two_processes_learn_of_a_rotation_each_for_itself(server: KeyServer) -> None:
    both = [KeySet(server.address), KeySet(server.address)]
    assert [outcome(keys, "ES256") for keys in both] == ["good", "good"]
    server.keys = [jwk("ES256", "new", "new")]
    for keys in both:
        later(keys)
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda keys: outcome(keys, "new"), both * 4))
    assert said == ["good"] * 8
    assert [outcome(keys, "ES256") for keys in both] == ["unknown", "unknown"]
    assert len(server.served) == 4


def test_a_storm_of_made_up_key_ids_is_one_request(server: KeyServer) -> None:
    keys = KeySet(server.address)
    assert outcome(keys, "RS256") == "good"
    later(keys)
    with ThreadPoolExecutor(16) as pool:
        said = set(pool.map(lambda number: outcome(keys, f"made-up-{number}"), range(400)))
    assert said <= {"unknown", "out of reach"}
    assert outcome(keys, "RS256", wait=False) == "good"
    assert len(server.served) == 2


def test_a_key_that_was_withdrawn_is_forgotten_beside_the_calls(server: KeyServer) -> None:
    keys = KeySet(server.address)
    assert outcome(keys, "RS256") == "good"
    server.keys = [jwk("ES256", "ES256")]
    much_later(keys)
    released = held(server)
    assert outcome(keys, "RS256", wait=False) == "good"  # no caller waits for it
    released.set()
    eventually(lambda: outcome(keys, "RS256") == "unknown", "the key is forgotten")


def test_while_the_address_is_away_the_last_keys_go_on(server: KeyServer) -> None:
    keys = KeySet(server.address)
    assert outcome(keys, "RS256") == "good"
    server.stop()
    for _ in range(3):
        much_later(keys)
        assert outcome(keys, "RS256") == "good"
        assert outcome(keys, "new") == "out of reach"  # which it is cannot be told
    server.keys.append(jwk("ES256", "new", "new"))
    server.come_back()
    later(keys)
    assert outcome(keys, "new") == "good"


@pytest.mark.django_db
@pytest.mark.usefixtures("redis_of_its_own", "unlimited")
def test_with_no_keys_at_all_a_call_hears_so_and_when_to_come_back(
    api: Api, settings: Settings, server: KeyServer
) -> None:
    settings.VIEWER_KEYS = viewer_keys(server.address)
    server.stop()
    page = {"Authorization": f"Bearer {signed()}"}
    answer = api.get(ME, headers=page)
    assert "keys of the token's issuer" in assert_problem(answer, "unavailable")["detail"]
    assert int(answer["Retry-After"]) > 0
    server.come_back()
    [issuer, _] = key_sets_of(settings)
    later(issuer)
    assert api.get(ME, headers=page).status_code == 200


def key_sets_of(settings: Settings) -> list[Any]:
    from accounts.identity import issuers

    return [one.key_set for one in issuers.issued_tokens()]


def say(body: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda request: KeyServer.say(request, body, status, **headers)


def trickle(request: BaseHTTPRequestHandler) -> None:
    """A byte now and then, for as long as they are taken."""
    try:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            request.wfile.write(b"x")
            request.wfile.flush()
            time.sleep(0.02)
    except OSError:
        return


NO_ANSWERS: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {
    "a redirect": say(b"", 302, Location="/elsewhere"),
    "an error": say(b'{"keys": []}', 500),
    "not JSON": say(b"<html>"),
    "deep": say(b"[" * 100_000),
    "a list": say(b"[]"),
    "no keys": say(b'{"keys": []}'),
    "too large": say(b'{"keys": [' + b" " * key_sets.MAX_BYTES + b"]}"),
    "too many": say(json.dumps({"keys": published() * 50}).encode()),
    "nothing": lambda request: request.connection.close(),
    "no end": trickle,
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_is_no_answer_changes_nothing(server: KeyServer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = KeySet(server.address)
    assert outcome(keys, "RS256") == "good"
    if name == "no end":
        monkeypatch.setattr(key_sets, "FETCH_SECONDS", 0.5)
    server.answer = NO_ANSWERS[name]
    later(keys)
    assert outcome(keys, "new") == "out of reach"
    assert outcome(keys, "RS256") == "good"
    eventually(lambda: server.served == ["/keys", "/keys"], "it was asked")


def listed(*keys: Any) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


SMALL: dict[str, Any] = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True)  # noqa: S505
PRIVATE: dict[str, Any] = RSAAlgorithm.to_jwk(private("RS256"), as_dict=True)
NO_KEYS: dict[str, Any] = {
    "a secret": {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "x"},
    "a private key": PRIVATE | {"kid": "x", "key_ops": ["verify"]},
    "a small one": SMALL | {"kid": "x"},
    "for encryption": jwk("RS256", "x", use="enc"),
    "for signing": jwk("RS256", "x", key_ops=["sign"]),
    "of another algorithm": jwk("RS256", "x", alg="RS512"),
    "of no algorithm": jwk("RS256", "x", alg="none"),
    "of HMAC": jwk("RS256", "x", alg="HS256"),
    "of another curve": jwk("ES256", "x", crv="secp256k1"),
    "of X25519": jwk("EdDSA", "x", crv="X25519"),
    "not on its curve": jwk("ES256", "x", y="AAAA"),
    "half": {"kty": "RSA", "e": "AQAB", "kid": "x"},
    "an id that is a number": jwk("RS256", None) | {"kid": 7},
    "a type that is a list": jwk("RS256", "x", kty=["RSA"]),
    "a curve that is an object": jwk("ES256", "x", crv={}),
    "text": "key",
    "null": None,
}


@pytest.mark.parametrize("name", NO_KEYS)
def test_what_is_no_public_key_is_left_out(name: str) -> None:
    with pytest.raises(ValueError, match="no public key"):
        parse(listed(NO_KEYS[name]))
    assert set(parse(listed(NO_KEYS[name], jwk("EdDSA", "good")))) == {"good"}


def test_a_token_without_a_key_id_is_good_with_the_only_key(server: KeyServer) -> None:
    keys = KeySet(server.address)
    assert outcome(keys, None) == "unknown"
    server.keys = [jwk("EdDSA", None)]
    later(keys)
    assert [outcome(keys, None), outcome(keys, "EdDSA")] == ["good", "unknown"]


def test_a_certificate_is_verified(settings: Settings, tmp_path: Path, server: KeyServer) -> None:
    authority = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    address = f"https://localhost:{server.port}/keys"
    assert outcome(KeySet(address), "RS256") == "out of reach"
    settings.CA_FILE = str(authority)
    assert outcome(KeySet(address), "RS256") == "good"
    assert outcome(KeySet(f"https://127.0.0.1:{server.port}/keys"), "RS256") == "out of reach"  # another name
