"""The public keys of one issuer, read from its JWKS address (RFC 7517) and kept in memory.

The address is the operator's; what a token says (`jku`, `x5u`, `jwk`) is never looked at. A token with a new key id has
the keys fetched again, at most once in AGAIN_SECONDS whatever tokens say. A fetch runs in a thread of its own: a call
waits for it only if it has no key yet, a few calls at one moment, and never long. While the address does not answer,
the last keys go on. Each process fetches for itself: keys in Redis would let its writers sign in as anybody.
"""

import http.client
import json
import socket
import threading
import time
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import jwt
import structlog
from django.conf import settings

from accounts.identity.proofs import KeysOutOfReach
from api.tls import trusted

log = structlog.get_logger(__name__)

REFRESH_SECONDS = 300.0  # a key that its issuer withdrew works on so long
AGAIN_SECONDS = 10.0  # between the end of one fetch and the next
FETCH_SECONDS = 3.0
WAIT_SECONDS = 4.0
WAITING = 4  # calls of one process that wait at one moment: a thread each
MAX_BYTES = 128 * 1024
MAX_KEYS = 100
RSA_BITS = range(2048, 8193)
ALGORITHMS: dict[tuple[Any, Any], str] = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}


class Key(NamedTuple):
    """`algorithm` is the key's, and the only one it is used with."""

    algorithm: str
    material: Any


class KeySet:
    def __init__(self, address: str) -> None:
        self.address = address
        self.keys: dict[str | None, Key] = {}
        self.failed = False  # the last fetch
        self.fetched_at = self.not_before = -REFRESH_SECONDS + time.monotonic()
        self.fetching: threading.Event | None = None
        self.waiting = 0
        self.lock = threading.Lock()

    def find(self, kid: str | None, *, wait: bool) -> Key | None:
        """The key of this id; None if the issuer has none.

        Raises KeysOutOfReach when that cannot be told: the address does not answer, or the call would have to wait and
        may not.
        """
        if self.known(kid) is None or time.monotonic() - self.fetched_at > REFRESH_SECONDS:
            self.begin()
        if self.known(kid) is None and wait:
            self.wait()
        fetching, found = self.fetching, self.known(kid)
        if found is None and (fetching or self.failed):
            raise KeysOutOfReach("The keys of the token's issuer cannot be had right now; try again.")
        return found

    def known(self, kid: str | None) -> Key | None:
        """A token without a key id is good with the only key there is."""
        keys = self.keys
        if kid is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(kid)

    def begin(self) -> None:
        """Has the keys fetched, unless that is under way, or was done just now."""
        with self.lock:
            if self.fetching is not None or time.monotonic() < self.not_before:
                return
            self.fetching = threading.Event()
        threading.Thread(target=self.fetch, name="issuer-keys", daemon=True).start()

    def wait(self) -> None:
        """Until the fetch that is under way has ended. Raises KeysOutOfReach when enough calls wait already."""
        with self.lock:
            fetching = self.fetching
            if fetching is None:
                return
            if self.waiting == WAITING:
                raise KeysOutOfReach("The keys of the token's issuer are being fetched; try again.")
            self.waiting += 1
        try:
            fetching.wait(WAIT_SECONDS)
        finally:
            with self.lock:
                self.waiting -= 1

    def fetch(self) -> None:
        failed = True
        try:
            self.keys, failed = parse(get(self.address)), False
            self.fetched_at = time.monotonic()
        except (OSError, http.client.HTTPException, ValueError) as error:
            log.warning("issuer_keys_unreachable", address=self.address, error=str(error), kept=len(self.keys))
        finally:
            with self.lock:
                ended, self.fetching, self.failed = self.fetching, None, failed
                self.not_before = time.monotonic() + AGAIN_SECONDS
            if ended is not None:
                ended.set()


def get(address: str) -> bytes:
    """The document at the address, without following redirects. Raises OSError, HTTPException, ValueError."""
    split = urlsplit(address)
    connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=FETCH_SECONDS)
    if split.scheme == "https":
        connection = http.client.HTTPSConnection(
            split.hostname or "", split.port, timeout=FETCH_SECONDS, context=trusted(settings.CA_FILE)
        )
    # The time-out is for each byte; an answer that trickles in is cut.
    cut = threading.Timer(FETCH_SECONDS, hang_up, [connection])
    cut.daemon = True
    cut.start()
    try:
        target = (split.path or "/") + (f"?{split.query}" if split.query else "")
        connection.request("GET", target, headers={"Accept": "application/json", "User-Agent": "scoreboard"})
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise ValueError(f"it answers {response.status}")
        body = response.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ValueError(f"its answer is larger than {MAX_BYTES} bytes")
        return body
    finally:
        cut.cancel()
        connection.close()


def hang_up(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        with suppress(OSError):  # it has just ended by itself
            connection.sock.shutdown(socket.SHUT_RDWR)


def parse(document: bytes) -> dict[str | None, Key]:
    """The keys that can be used, by id; of two with one id the first. Raises ValueError when there is none."""
    try:
        said = json.loads(document)
    except RecursionError as error:
        raise ValueError("its answer is no JSON") from error
    listed = said.get("keys") if isinstance(said, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ValueError(f"its answer has no `keys`, or more than {MAX_KEYS}")
    keys: dict[str | None, Key] = {}
    for one in listed:
        if (key := usable(one)) is not None:
            keys.setdefault(one.get("kid"), key)
    if not keys:
        raise ValueError("it lists no public key for RS256, ES256 or EdDSA")
    return keys


def usable(said: Any) -> Key | None:
    """A public key that verifies signatures; None for what is another thing, a secret and a private key among them."""
    if not isinstance(said, dict) or not isinstance(said.get("kid"), str | None):
        return None
    kind = (said.get("kty"), None if said.get("kty") == "RSA" else said.get("crv"))
    algorithm = ALGORITHMS.get(kind) if all(isinstance(one, str | None) for one in kind) else None
    operations = said.get("key_ops", ["verify"])
    if (
        algorithm is None
        or "d" in said
        or said.get("use", "sig") != "sig"
        or not (isinstance(operations, list) and "verify" in operations)
        or said.get("alg", algorithm) != algorithm
    ):
        return None
    try:
        material = jwt.PyJWK(said, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        return None
    return None if algorithm == "RS256" and material.key_size not in RSA_BITS else Key(algorithm, material)
