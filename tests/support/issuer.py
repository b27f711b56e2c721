"""A site that signs tokens itself: its keys, the address where it publishes them, and what it signs, good and bad."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.conf import settings as site
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, get_default_algorithms

from accounts.identity import viewer_tokens
from tests.support.forging import b64, compact
from tests.system.live.server import free_port

ISSUER, AUDIENCE = "https://accounts.example", "board"
SHOP = "https://shop.example"
SHOP_SECRET, OLD_SECRET = "Vb3q-a secret of the shop 8sK1wPz", "mX5t-the one it had before 0Zr7qLd"
MAKERS: dict[str, Callable[[], Any]] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
PUBLISHED: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def private(algorithm: str, name: str = "") -> Any:
    """A key pair; another for each name."""
    return made(algorithm, name)


@cache
def made(algorithm: str, name: str) -> Any:
    return MAKERS[algorithm]()


def jwk(algorithm: str, kid: str | None, name: str = "", **changes: Any) -> dict[str, Any]:
    """The public key as the site publishes it."""
    said = PUBLISHED[algorithm].to_jwk(private(algorithm, name).public_key(), as_dict=True)
    said = {**said, "kid": kid, "use": "sig", **changes}
    return {member: value for member, value in said.items() if value is not None}


class KeyServer:
    """A JWKS address on this machine. `served` counts its requests; `answer` is what it does with the next ones."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.served: list[str] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = self.publish
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.served.append(self.path)
                owner.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.handler = Handler
        self.port = free_port()  # still there for it when it comes back
        self.come_back()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/keys"

    def stop(self) -> None:
        """The address no longer answers."""
        self.server.shutdown()
        self.server.server_close()

    def come_back(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), self.handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def publish(self, request: BaseHTTPRequestHandler) -> None:
        self.say(request, json.dumps({"keys": self.keys}).encode())

    @staticmethod
    def say(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@contextmanager
def key_server(*keys: dict[str, Any]) -> Iterator[KeyServer]:
    server = KeyServer(*keys)
    try:
        yield server
    finally:
        server.stop()


def published() -> list[dict[str, Any]]:
    """One key of each kind, with its algorithm as its id."""
    return [jwk(algorithm, algorithm) for algorithm in MAKERS]


def viewer_keys(address: str) -> str:
    """VIEWER_KEYS: the issuer with an address, of the provider `accounts`, and the shop with shared secrets."""
    return json.dumps(
        [
            {"issuer": ISSUER, "audience": AUDIENCE, "provider": "accounts", "jwks": address},
            {"issuer": SHOP, "audience": AUDIENCE, "provider": "shop", "secret": [SHOP_SECRET, OLD_SECRET]},
        ]
    )


def claims(**changes: Any) -> dict[str, Any]:
    """What an honest site says; a change to ... leaves the claim out."""
    now = int(time.time())
    honest = {"iss": ISSUER, "sub": "42", "aud": AUDIENCE, "iat": now, "exp": now + 600}
    return {name: value for name, value in {**honest, **changes}.items() if value is not ...}


def signed(algorithm: str = "RS256", *, key: Any = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token of the issuer with an address; `header` and `changes` go into it, `key` signs instead of its own."""
    said = {"alg": algorithm, "typ": "JWT", "kid": algorithm, **(header or {})}
    said = {name: value for name, value in said.items() if value is not ...}
    return jws(algorithm, private(algorithm) if key is None else key, said, claims(**changes))


def shops(algorithm: str = "HS256", *, key: str | bytes = SHOP_SECRET, **changes: Any) -> str:
    """A token of the shop."""
    raw = key.encode() if isinstance(key, str) else key
    return jws(algorithm, raw, {"alg": algorithm}, claims(**{"iss": SHOP, **changes}))


def jws(algorithm: str, key: Any, header: dict[str, Any], said: dict[str, Any]) -> str:
    """Signed whatever it says: PyJWT's `encode` refuses what a bad issuer would not."""
    text = compact(header, said, "").rstrip(".")
    return f"{text}.{b64(get_default_algorithms()[algorithm].sign(text.encode(), key))}"


def viewers(algorithm: str = "HS256", secret: bytes | None = None, said: dict[str, Any] | None = None) -> str:
    """A viewer token of ours, of a player and a key that are not there; `said` changes its claims."""
    now = int(time.time())
    honest = {"aud": viewer_tokens.AUDIENCE, "sub": str(uuid.UUID(int=1)), "key": str(uuid.UUID(int=2)), "iat": now}
    every = {**honest, "exp": now + 600, **(said or {})}
    kept = {name: value for name, value in every.items() if value is not ...}
    return jws(algorithm, secret or viewer_tokens.secret(), {"alg": algorithm}, kept)


def hmac_with(key: bytes, **changes: Any) -> str:
    """HS256 under whatever bytes, a public key among them, which PyJWT itself would not do."""
    return compact({"alg": "HS256", "typ": "JWT", "kid": "RS256"}, claims(**changes), key=key)


def pem(algorithm: str) -> bytes:
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return bytes(private(algorithm).public_key().public_bytes(*form))


NO_SUBJECTS: dict[str, Any] = {
    "missing": ...,
    "null": None,
    "empty": "",
    "a number": 42,
    "a list": ["42"],
    "true": True,
    "NUL": "4\0002",
    "a lone surrogate": "\ud800",
    "a newline": "42\n",
    "256 characters": "x" * 256,
    "our form": "ext:42",
    "dots": "..",
}
NO_ENDS: dict[str, Any] = {
    "missing": ...,
    "null": None,
    "passed": time.time() - site.JWT_LEEWAY - 1,
    "in two days": time.time() + 2 * 86_400,
    "text": str(int(time.time()) + 600),
    "true": True,
    "NaN": float("nan"),
    "infinite": float("inf"),
    "minus infinity": float("-inf"),
    "1e20": 1e20,
    "10^400": 10**400,
    "a list": [time.time() + 600],
    "an object": {},
}
NO_AUDIENCES: dict[str, Any] = {
    "missing": ...,
    "null": None,
    "another": "elsewhere",
    "ours of sign-ins": "scoreboard:api",
    "empty": "",
    "a number": 7,
    "a list without": ["elsewhere"],
    "a list with a number": [AUDIENCE, 7],
    "an object": {AUDIENCE: 1},
    "longer": AUDIENCE + " ",
}
NO_ISSUERS: dict[str, Any] = {
    "missing": ...,
    "null": None,
    "another": "https://elsewhere.example",
    "with a slash": ISSUER + "/",
    "the shop": SHOP,
    "a list": [ISSUER],
    "ours": "scoreboard",
}


# One of each kind, where every case costs a connection or two.
OF_EACH_KIND = (
    *("sub missing", "sub NUL", "exp passed", "exp in two days", "exp NaN", "aud another", "iss another", "unsigned"),
    *("another key under a published id", "the public key as a secret", "the algorithm of another key"),
    *("an unknown key id", "its own key", "another secret", "ours, unsigned", "ours, by the key of sign-ins"),
    *("claims 2,000 deep", "huge"),
)


def saying(claim: str, values: dict[str, Any]) -> dict[str, Callable[[], str]]:
    return {f"{claim} {name}": partial(signed, **{claim: value}) for name, value in values.items()}


# Each makes its token when it is called: for the moment, and the settings, of the test.
BAD_TOKENS: dict[str, Callable[[], str]] = {
    **saying("sub", NO_SUBJECTS),
    **saying("exp", NO_ENDS),
    **saying("aud", NO_AUDIENCES),
    **saying("iss", NO_ISSUERS),
    "not before tomorrow": lambda: signed(nbf=int(time.time()) + 86_400),
    "issued tomorrow": lambda: signed(iat=int(time.time()) + 86_400),
    "issued text": lambda: signed(iat="now"),
    "unsigned": lambda: compact({"alg": "none"}, claims(), ""),
    "unsigned, in other capitals": lambda: compact({"alg": "nOnE", "kid": "RS256"}, claims(), ""),
    "no algorithm": lambda: compact({"kid": "RS256"}, claims(), ""),
    "no signature": lambda: signed().rpartition(".")[0] + ".",
    "half a signature": lambda: signed()[:-100],
    "claims changed": lambda: ".".join(
        [signed().split(".")[0], b64(json.dumps(claims(sub="1")).encode()), signed().split(".")[2]]
    ),
    "another key under a published id": lambda: signed(key=private("RS256", "a thief's")),
    "another curve key": lambda: signed("ES256", key=private("ES256", "a thief's")),
    "another Edwards key": lambda: signed("EdDSA", key=private("EdDSA", "a thief's")),
    "the public key as a secret": lambda: hmac_with(pem("RS256")),
    "the public key's bytes as a secret": lambda: hmac_with(private("EdDSA").public_key().public_bytes_raw()),
    "the published text as a secret": lambda: hmac_with(json.dumps(jwk("RS256", "RS256")).encode()),
    "an empty secret": lambda: hmac_with(b""),
    "the algorithm of another key": lambda: signed("ES256", header={"kid": "RS256"}),
    "RS512": lambda: jws("RS512", private("RS256"), {"alg": "RS512", "kid": "RS256"}, claims()),
    "PS256": lambda: jws("PS256", private("RS256"), {"alg": "PS256", "kid": "RS256"}, claims()),
    "an unknown key id": lambda: signed(header={"kid": "nonsense"}),
    "no key id": lambda: signed(header={"kid": ...}),
    "a key id that is a number": lambda: compact({"alg": "RS256", "kid": 7}, claims(), "x"),
    "a key id that is a list": lambda: compact({"alg": "RS256", "kid": ["RS256"]}, claims(), "x"),
    "a key id that is a path": lambda: signed(header={"kid": "../../../dev/null"}),
    "its own key": lambda: signed(
        key=private("RS256", "a thief's"), header={"kid": "new", "jwk": jwk("RS256", "new", "a thief's")}
    ),
    "its own address": lambda: signed(
        key=private("RS256", "a thief's"), header={"jku": "http://127.0.0.1:9/keys", "x5u": "http://127.0.0.1:9/x"}
    ),
    "an unknown critical extension": lambda: signed(header={"crit": ["x"], "x": 1}),
    "another secret": lambda: shops(key="k" * 40),
    "the shop's secret, longer": lambda: shops("HS512"),
    "the shop, signed by the other issuer": lambda: signed(iss=SHOP),
    "the other issuer, signed by the shop": lambda: shops(iss=ISSUER),
    "our own secret": lambda: shops(key=site.SIMPLE_JWT["SIGNING_KEY"]),
    "our viewers' secret": lambda: shops(key=viewer_tokens.secret()),
    "a viewer token of ours, by the shop": lambda: shops(aud=viewer_tokens.AUDIENCE),
    **{f"ours, without {name}": partial(viewers, said={name: ...}) for name in viewer_tokens.CLAIMS},
    **{f"ours, {name} a list": partial(viewers, said={name: ["x"]}) for name in viewer_tokens.CLAIMS},
    **{f"ours, {name} no id": partial(viewers, said={name: "42"}) for name in ("sub", "key")},
    "ours, ended": lambda: viewers(said={"exp": int(time.time()) - site.JWT_LEEWAY - 1}),
    "ours, unsigned": lambda: compact({"alg": "none"}, {"aud": viewer_tokens.AUDIENCE}, ""),
    "ours, by the key of sign-ins": lambda: viewers(secret=str(site.SIMPLE_JWT["SIGNING_KEY"]).encode()),
    "ours, by a shop": lambda: viewers(secret=SHOP_SECRET.encode()),
    "ours, HS512": lambda: viewers("HS512"),
    "ours, for sign-ins": lambda: viewers(said={"aud": site.SIMPLE_JWT["AUDIENCE"]}),
    "nonsense": lambda: "nonsense",
    "dots": lambda: "..",
    "header not JSON": lambda: compact(b"{", claims(), "x"),
    "header a list": lambda: compact([], claims(), "x"),
    "header 1,000 deep": lambda: compact(b"[" * 1000, claims(), "x"),
    "claims 2,000 deep": lambda: compact({"alg": "RS256"}, b"[" * 2000, "x"),
    "claims a list": lambda: compact({"alg": "RS256"}, [], "x"),
    "claims not UTF-8": lambda: compact({"alg": "RS256"}, b"\xff", "x"),
    "huge": lambda: signed(padding="x" * 4000),
}
